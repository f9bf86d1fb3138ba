/// The loops of this process that are open.
enum LoopRegistry {
    // The references are not weak, which would slow down every retain and release of a loop. A loop's close removes it
    // first.
    private static let loops = Lock<[ObjectIdentifier: any MonitoredLoop]>([:])

    static func add(_ loop: any MonitoredLoop) { loops.withLock { $0[ObjectIdentifier(loop)] = loop } }

    static func remove(_ loop: any MonitoredLoop) {
        loops.withLock { _ = $0.removeValue(forKey: ObjectIdentifier(loop)) }
    }

    /// All open loops, in the order of their names.
    static var all: [any MonitoredLoop] { loops.withLock { Array($0.values) }.sorted { $0.name.text < $1.name.text } }
}
