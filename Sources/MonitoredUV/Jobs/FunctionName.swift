/// A readable name of a function, made from the demangler's output.
///
/// `(1) suspend resume partial function for App.Store.put(Swift.Int, by: Swift.String) async throws -> ()` becomes
/// `App.Store.put(_:by:)`, and closures `closure #1 in App.Store.put(_:by:)`.
struct FunctionName {
    let text: String
    /// Whether the function belongs to a library, in which case its caller says more.
    let isLibrary: Bool

    private static let libraries: Set<Substring> = [
        "Swift", "_Concurrency", "_StringProcessing", "_RegexParser", "Synchronization", "Dispatch", "Foundation",
        "FoundationEssentials", "FoundationInternationalization", "FoundationNetworking", "MonitoredUV",
        "NIOMonitoring",
        "NIO", "NIOCore", "NIOPosix", "NIOEmbedded", "NIOConcurrencyHelpers", "NIOFoundationCompat",
        "NIOFoundationEssentialsCompat",
        "NIOFileSystem", "NIOHTTP1", "NIOHTTP2", "NIOHPACK", "NIOTLS", "NIOWebSocket", "NIOSSL", "NIOSSH", "NIOSOCKS",
        "NIOTransportServices", "NIOExtras", "NIOHTTPCompression", "NIOHTTPTypes", "NIOHTTPTypesHTTP1",
        "NIOHTTPTypesHTTP2", "NIOTestUtils", "_NIODataStructures", "_NIOFileSystem", "_NIOBase64",
    ]

    /// Returns whether the module is one of Swift's libraries, this one, SwiftNIO, or in
    /// ``MonitoringOptions/libraryModules``.
    private static func isLibrary(_ module: Substring) -> Bool {
        libraries.contains(module)
            || MonitoringOptions.current.libraryModules.contains(String(module))
    }

    /// Creates the name; `nil` for glue that the compiler made and that names no function.
    init?(demangled: String) {
        guard var inner = Self.withoutPrefixes(Self.withoutContexts(demangled)) else { return nil }
        // The compiler has made one function of several that are alike; which of them ran, only the caller tells.
        let isMerged = inner.hasPrefix(Self.merged)
        if isMerged { inner.removeFirst(Self.merged.count) }
        // Nested declarations are listed from the inside out. Types may contain an " in " of their own.
        let declarations = Self.split(inner[...], by: " in ")
        var parts = declarations.map(Self.withoutTypes)
        // The program's top level is a bare module, or nothing.
        if parts.count > 1, let last = parts.last, last.allSatisfy({ $0 == "_" || $0.isLetter || $0.isNumber }) {
            parts[parts.count - 1] = "main"
        }
        // A name without a module belongs to the runtime, which is written in C++.
        guard let outermost = parts.last, outermost.contains(".") || outermost == "main" else { return nil }
        isLibrary = isMerged || Self.isLibrary(Self.module(of: declarations[declarations.count - 1]))
        // A library's closures do not matter. This library's types all have a prefix, so its module is left out.
        // The implicit closures that the compiler puts around arguments say nothing.
        let own = parts.filter { !$0.hasPrefix("implicit closure #") }
        let text = isLibrary || own.isEmpty ? outermost : own.joined(separator: " in ")
        let short = text.hasPrefix("MonitoredUV.") ? String(text.dropFirst("MonitoredUV.".count)) : text
        self.text = isMerged ? Self.merged + short : short
    }

    /// Removes the file hashes and addresses of private names: `(name in _0F3A…)` becomes `name`, and
    /// `(unknown context at $7f…).` is dropped.
    static func withoutContexts(_ text: String) -> String {
        if !text.contains(" in _") && !text.contains("(unknown context") { return text }
        return text.replacing(/\(unknown context at \$[0-9a-f]+\)\./, with: "")
            .replacing(/\(([^()]+) in _[0-9A-F]{16,}\)/) { $0.output.1 }
    }

    private static func withoutPrefixes(_ demangled: String) -> String? {
        if demangled.hasPrefix("async_Main") { return "main" }
        var text = demangled[...]
        while true {
            if let function = madeFor(text) {
                text = function
            } else if text.hasPrefix("("), let end = text.firstRange(of: "partial function for ") {
                text = text[end.upperBound...]
            } else if let wrapped = ["generic ", "function signature "].first(where: text.hasPrefix),
                let end = text.dropFirst(wrapped.count).firstRange(of: "> of ")
            {
                text = text[end.upperBound...]
            } else if text.contains("reabstraction thunk") {
                return nil
            } else if text.hasPrefix("protocol witness for ") {
                text = text.dropFirst("protocol witness for ".count)
                if let end = text.firstRange(of: " in conformance ") { text = text[..<end.lowerBound] }
            } else if let prefix = prefixes.first(where: text.hasPrefix) {
                text = text.dropFirst(prefix.count)
            } else {
                return String(text)
            }
        }
    }

    /// Returns the function that a thunk, as of an `async let`, was specialized for: it is still among the thunk's
    /// arguments.
    private static func madeFor(_ text: Substring) -> Substring? {
        guard text.contains("reabstraction thunk"), let start = text.firstRange(of: "Constant Propagated Function : ")
        else { return nil }
        let rest = text[start.upperBound...]
        let ends = ["]> of ", "], Arg["].compactMap { rest.firstRange(of: $0)?.lowerBound }
        return rest[..<(ends.min() ?? rest.endIndex)]
    }

    private static let merged = "merged "

    private static let prefixes = [
        "static ", "partial apply forwarder for ", "async function pointer to ", "dispatch thunk of ",
        "override ", "distributed thunk ",
    ]

    /// Turns `closure #1 @Sendable () async -> ()` into `closure #1`, and `App.f<A>(A, by: B) -> C` into
    /// `App.f(_:by:)`.
    private static func withoutTypes(_ part: Substring) -> String {
        if part.contains("closure #"), let number = part.firstRange(of: "#") {
            return String(part[..<number.upperBound]) + part[number.upperBound...].prefix { $0.isNumber }
        }
        var part = part
        while part.hasPrefix("static ") { part = part.dropFirst("static ".count) }
        var name = ""
        if let place = extensionPlace(part) {
            name = String(part[..<place.lowerBound])
            part = part[place.upperBound...]
        }
        for accessor in [".getter", ".setter", ".modify", ".read"] {
            if let end = part.firstRange(of: accessor + " : ") { part = part[..<end.lowerBound] }
        }
        // Generic arguments may appear within the name; the parameters follow it.
        var rest = part
        while let character = rest.first, character != "(" {
            if let end = operatorEnd(rest) {
                name += rest[..<end]
                rest = rest[end...]
            } else if character == "<" {
                rest = rest.dropFirst(balanced(rest))
            } else {
                name.append(rest.removeFirst())
            }
        }
        if name.hasSuffix(" ") { name.removeLast() }
        if name.hasSuffix("@Sendable") { name.removeLast("@Sendable".count) }
        if rest.isEmpty { return name }
        let list = rest.prefix(balanced(rest)).dropFirst().dropLast()
        let labels = list.isEmpty ? [] : split(list, by: ", ").map(label)
        return name + "(" + labels.joined() + ")"
    }

    /// Finds the end of the operator at the beginning of `rest`, such as `<= infix(…)`.
    private static func operatorEnd(_ rest: Substring) -> Substring.Index? {
        let end = rest.firstIndex { !"+-*/%=<>!&|^~?".contains($0) } ?? rest.endIndex
        let isOperator = [" infix", " prefix", " postfix"].contains { rest[end...].hasPrefix($0) }
        return end > rest.startIndex && isOperator ? end : nil
    }

    /// Returns the module of a declaration: `Swift` for `default argument 0 of Swift.max(A, A) -> A`. An extension
    /// belongs to the module that contains it.
    private static func module(of declaration: Substring) -> Substring {
        if let place = extensionPlace(declaration) {
            return declaration[place].dropFirst("(extension in ".count).dropLast("):".count)
        }
        let path = declaration.prefix { $0 != "." }
        return path[(path.lastIndex(of: " ").map(path.index(after:)) ?? path.startIndex)...]
    }

    /// Returns the range of `(extension in App):` in front of the extended type.
    private static func extensionPlace(_ declaration: Substring) -> Range<Substring.Index>? {
        guard let start = declaration.prefix(while: { $0 != "." }).firstRange(of: "(extension in "),
            let end = declaration[start.upperBound...].firstRange(of: "):")
        else { return nil }
        return start.lowerBound..<end.upperBound
    }

    private static func label(_ parameter: Substring) -> String {
        let word = parameter.prefix { $0 == "_" || $0.isLetter || $0.isNumber }
        return !word.isEmpty && parameter.dropFirst(word.count).hasPrefix(": ") ? "\(word):" : "_:"
    }

    /// Returns the length of the bracketed text at the start of `text`.
    private static func balanced(_ text: Substring) -> Int {
        var depth = 0
        var previous: Character = " "
        for (count, character) in text.enumerated() {
            if "(<[".contains(character) { depth += 1 }
            if ")]".contains(character) || (character == ">" && previous != "-") { depth -= 1 }
            if depth == 0 { return count + 1 }
            previous = character
        }
        return text.count
    }

    /// Splits a text at separators outside brackets.
    private static func split(_ text: Substring, by separator: String) -> [Substring] {
        var parts: [Substring] = []
        var depth = 0
        var begin = text.startIndex
        var index = begin
        var previous: Character = " "
        while index < text.endIndex {
            let character = text[index]
            if "(<[".contains(character) { depth += 1 }
            if ")]".contains(character) || (character == ">" && previous != "-") { depth -= 1 }
            if depth == 0, text[index...].hasPrefix(separator) {
                parts.append(text[begin..<index])
                index = text.index(index, offsetBy: separator.count)
                begin = index
                previous = " "
                continue
            }
            previous = character
            index = text.index(after: index)
        }
        return parts + [text[begin...]]
    }
}
