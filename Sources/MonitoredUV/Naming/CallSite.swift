/// The place where a callback was registered: the three default arguments of every registering function, as plain pointers.
///
/// Making one costs three moves and no allocation; the text is built once per place, on its first monitored dispatch.
///
/// `@unchecked Sendable`: the pointers refer to constants of the program.
struct CallSite: Hashable, @unchecked Sendable {
    private let file: UnsafePointer<UInt8>
    private let function: UnsafePointer<UInt8>?
    private let line: UInt32

    @inline(__always)
    init(_ file: StaticString, _ line: UInt, _ function: StaticString) {
        self.file = file.utf8Start
        self.function = function.utf8Start
        self.line = UInt32(truncatingIfNeeded: line)
    }

    /// Creates a site from an explicit name instead of a place.
    @inline(__always)
    init(named name: StaticString) {
        file = name.utf8Start
        function = nil
        line = 0
    }

    /// Creates a site from a name that has already been interned.
    init(interned name: CallbackName) {
        file = Self.interned
        function = nil
        line = name.id
    }

    /// Stands for a file if the line is a name's number.
    private static var interned: UnsafePointer<UInt8> { ("" as StaticString).utf8Start }

    var internedName: CallbackName? { file == Self.interned ? CallbackName(id: line) : nil }

    /// `Server.swift:42 accept(_:)`, or the explicit name.
    var text: String {
        let first = String(cString: file)
        guard let function else { return first }
        let fileName = first.split(separator: "/").last.map(String.init) ?? first
        return "\(fileName):\(line) \(String(cString: function))"
    }

    /// A hash for a small table; places in one file differ by line.
    @inline(__always)
    var spread: Int { (Int(bitPattern: file) &>> 4) ^ Int(line) }
}

/// The names of the call sites that one loop has dispatched: a small direct-mapped table in front of a dictionary.
struct CallSiteNames {
    private static let fastCount = 64
    private var fast = [(site: CallSite, name: CallbackName)?](repeating: nil, count: fastCount)
    private var all: [CallSite: CallbackName] = [:]

    @inline(__always)
    mutating func name(of site: CallSite) -> CallbackName {
        let slot = site.spread & (Self.fastCount &- 1)
        if let entry = fast[slot], entry.site == site { return entry.name }
        return lookUp(site, slot)
    }

    @inline(never)
    private mutating func lookUp(_ site: CallSite, _ slot: Int) -> CallbackName {
        let name = site.internedName ?? all[site] ?? CallbackName(site.text)
        if site.internedName == nil { all[site] = name }
        fast[slot] = (site, name)
        return name
    }
}
