/// The loops of this process that are open.
enum LoopRegistry {
    private struct Entry { weak var core: LoopCore? }

    private static let entries = Lock<[ObjectIdentifier: Entry]>([:])

    static func add(_ core: LoopCore) { entries.withLock { $0[ObjectIdentifier(core)] = Entry(core: core) } }

    static func remove(_ core: LoopCore) { entries.withLock { _ = $0.removeValue(forKey: ObjectIdentifier(core)) } }

    /// In the order of their names.
    static var all: [Monitoring] {
        entries.withLock { $0.values.compactMap(\.core) }
            .map { Monitoring(core: $0) }
            .sorted { $0.core.name.text < $1.core.name.text }
    }
}
