/// A callback's name as a small integer, so that a dispatch can carry it without touching a string.
///
/// Names in the program's code (call sites, functions, actors, loops) are interned for the life of the process. Names
/// that come and go (a request's path, a task's own name, a handle's) are in ``PassingNames``, so that no client can
/// exhaust the capacity for the others.
package struct CallbackName: Hashable, Sendable, BitwiseCopyable {
    let id: UInt32

    /// The capacity for registered names. Their numbers are below it; those of passing names are not.
    static let limit = 65_536 - PassingNames.capacity
    /// The lower 16 bits of the number: a registered name's number, or a passing name's place.
    @inline(__always) var place: Int { Int(UInt16(truncatingIfNeeded: id)) }
    static let unnamed = CallbackName(id: 0)
    static let other = CallbackName(id: 1)
    /// The monitor, while it runs.
    static let monitor = CallbackName(id: 2)
    /// A dispatch that began at level `off`, so that its name was not recorded.
    static let unmonitored = CallbackName(id: 3)
    /// An iteration of a loop that this library does not run, if no function is known to have taken most of it.
    static let iteration = CallbackName(id: 4)

    /// Interns a name from the program's code. The capacity for such names is limited.
    package init(_ text: String) {
        let text = text.printable
        self = Self.table.withLock { $0.intern(text) }
    }

    /// Interns a name that the program creates at run time and that may differ for each connection. It is kept until
    /// ``release()``.
    init(pinned text: String) { self = PassingNames.shared.pin(Self.cut(text)) }

    /// Releases a name created by ``init(pinned:)``.
    func release() { PassingNames.shared.unpin(self) }

    /// Interns a name that comes from outside the program, or that differs for each task.
    init(passing text: String) { self = PassingNames.shared.intern(Self.cut(text)) }

    init(id: UInt32) { self.id = id }

    /// The text; `_OTHER` for a passing name that has been forgotten.
    var text: String {
        if id >= Self.limit { return PassingNames.shared.text(of: self) ?? Self.other.text }
        return Self.table.withLock { $0.texts[Int(id)] }
    }

    /// Returns the first 256 bytes, the maximum length of a name, in printable characters.
    static func cut(_ text: String) -> String { text.firstBytes(256).printable }

    private static let table = Lock(Table())

    private struct Table {
        var texts = ["", "_OTHER", "monitor", "began unmonitored", "iteration"]
        var ids: [String: UInt32] = ["": 0, "_OTHER": 1, "monitor": 2, "began unmonitored": 3, "iteration": 4]

        mutating func intern(_ text: String) -> CallbackName {
            if let id = ids[text] { return CallbackName(id: id) }
            guard texts.count < CallbackName.limit else { return .other }
            let id = UInt32(texts.count)
            texts.append(text)
            ids[text] = id
            return CallbackName(id: id)
        }
    }
}
