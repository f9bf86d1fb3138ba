/// A callback's name as a small integer, so that a dispatch can carry it without touching a string.
///
/// Names are interned for the life of the process, at registration. A process that makes up names without end (one per
/// connection, say) gets `_OTHER` for those past the limit instead of growing.
struct CallbackName: Hashable, Sendable {
    let id: UInt32

    static let limit = 65_536
    static let none = CallbackName(id: 0)
    static let other = CallbackName(id: 1)
    /// The monitor, while it runs.
    static let monitor = CallbackName(id: 2)

    init(_ text: String) { self = Self.table.withLock { $0.intern(text) } }
    init(id: UInt32) { self.id = id }

    var text: String { Self.table.withLock { $0.texts[Int(id)] } }

    private static let table = Lock(Table())

    private struct Table {
        var texts = ["", "_OTHER", "monitor"]
        var ids: [String: UInt32] = ["": 0, "_OTHER": 1, "monitor": 2]

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
