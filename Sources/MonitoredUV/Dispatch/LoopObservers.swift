/// Observers of the loops of this process.
enum LoopObservers {
    private static let observers = Lock<[ObjectIdentifier: @Sendable (Monitoring) -> Void]>([:])

    private final class Key: Sendable {}

    /// Calls `body` with each loop that is made from now on, on the thread that makes it.
    static func add(_ body: @escaping @Sendable (Monitoring) -> Void) -> MonitoringSubscription {
        let key = Key()
        observers.withLock { $0[ObjectIdentifier(key)] = body }
        return MonitoringSubscription { observers.withLock { $0[ObjectIdentifier(key)] = nil } }
    }

    static func notify(_ loop: Monitoring) {
        let bodies = observers.withLock { Array($0.values) }
        for body in bodies { body(loop) }
    }
}
