/// The loops of this process that are open.
enum LoopRegistry {
    // Not weak: that would slow down every retain and release of a loop. It is removed by its close, which comes first.
    private static let loops = Lock<[ObjectIdentifier: LoopCore]>([:])

    static func add(_ core: LoopCore) { loops.withLock { $0[ObjectIdentifier(core)] = core } }

    static func remove(_ core: LoopCore) { loops.withLock { _ = $0.removeValue(forKey: ObjectIdentifier(core)) } }

    /// In the order of their names.
    static var all: [Monitoring] {
        loops.withLock { Array($0.values) }
            .map { Monitoring(core: $0) }
            .sorted { $0.core.name.text < $1.core.name.text }
    }
}
