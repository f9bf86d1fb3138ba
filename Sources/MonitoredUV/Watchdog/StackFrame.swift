/// A function that a loop's thread was in.
public struct StackFrame: Sendable, Hashable {
    /// The ways in which a function can be in a stack.
    public enum Role: Sendable, Hashable {
        /// On the thread's stack.
        case call
        /// An async function that waits for the preceding one to return.
        case asyncCaller
    }

    /// The readable name: `App.Store.put(_:by:)`, or the C function's name; `? in libc.so.6` if there is none.
    public let function: String
    /// The source file, if there is debug information. It may be the file of a function that was inlined into this one.
    public internal(set) var file: String?
    /// The line in that file, from 1.
    public internal(set) var line: Int?
    /// The role in which the function is in the stack.
    public internal(set) var role: Role
    /// Whether the function is the program's own, as far as its name shows, rather than one of Swift's libraries, this
    /// library, or the system.
    public let isOwn: Bool

    /// Whether its name is a Swift name.
    let isSwift: Bool

    /// Whether it has no name.
    var isUnknown: Bool { function.hasPrefix("?") }

    /// Whether the compiler generated it, between a function and its caller.
    var isGlue: Bool { !isOwn && ["thunk", "partial apply", "@objc "].contains { function.contains($0) } }

    init(function: String, file: String? = nil, line: Int? = nil, role: Role = .call, isOwn: Bool, isSwift: Bool = true)
    {
        self.function = function
        self.file = file
        self.line = line
        self.role = role
        self.isOwn = isOwn
        self.isSwift = isSwift
    }
}

extension StackFrame: CustomStringConvertible {
    /// `App.parse(_:) at Parser.swift:42`, with `async ` in front of a caller that waits.
    public var description: String {
        let name = file.flatMap { $0.split(separator: "/").last } ?? ""
        let place = line.map { " at \(name):\($0)" } ?? ""
        return (role == .asyncCaller ? "async " : "") + function + place
    }
}
