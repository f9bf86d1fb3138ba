import Synchronization

/// All subscribers to a loop's stalls. Any thread.
final class StallListeners: Sendable {
    private let listeners = Lock<[StallListener]>([])
    private let shortest = Atomic<UInt64>(.max)

    /// The shortest limit of all listeners.
    var limit: UInt64 { shortest.load(ordering: .relaxed) }

    var all: [StallListener] { listeners.withLock { $0 } }

    func add(_ listener: StallListener) { change { $0.append(listener) } }

    func remove(_ listener: StallListener) { change { $0.removeAll { $0 === listener } } }

    func removeAll() { change { $0 = [] } }

    private func change(_ body: (inout [StallListener]) -> Void) {
        // Released outside the lock: freeing a closure may run code that calls back here.
        let before = listeners.withLock { listeners in
            defer {
                body(&listeners)
                shortest.store(listeners.map(\.limit).min() ?? .max, ordering: .relaxed)
            }
            return listeners
        }
        withExtendedLifetime(before) {}
    }
}
