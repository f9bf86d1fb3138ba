import MonitoredUV
import NIOCore

/// Follows all loops of the process: sets a watchdog on each that comes, and keeps the stalls that they report.
final class Observer: Sendable {
    private let loop: any EventLoop
    private let limit: Duration
    private let isObserved: @Sendable (Monitoring) -> Bool
    private let state = Lock(State())

    private struct State {
        var watched: [ObjectIdentifier: (loop: Monitoring, subscription: MonitoringSubscription)] = [:]
        var stalls: [StallRecord] = []
        var ends: [MonitoringSubscription] = []
    }

    /// The number of stalls that are kept.
    private static let capacity = 256

    /// - Parameter isObserved: Whether a loop of the process is followed.
    init(_ loop: any EventLoop, limit: Duration, _ isObserved: @escaping @Sendable (Monitoring) -> Bool) {
        self.isObserved = isObserved
        self.loop = loop
        self.limit = limit
    }

    func start() {
        let subscription = Monitoring.observeLoops { [weak self] in self?.watch($0) }
        let timer = loop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { [weak self] timer in
            if let self { self.letGo() } else { timer.cancel() }
        }
        state.withLock { $0.ends = [MonitoringSubscription { timer.cancel() }, subscription] }
    }

    func stop() {
        let ends = state.withLock { state in
            defer { (state.ends, state.watched) = ([], [:]) }
            return state.ends + state.watched.values.map(\.subscription)
        }
        ends.forEach { $0.cancel() }
    }

    private func watch(_ loop: Monitoring) {
        let isKnown = state.withLock { $0.watched[loop.identity] != nil }
        if isKnown || !isObserved(loop) { return }
        let subscription = loop.observeStalls(limit: limit) { [weak self] in self?.keep($0) }
        let isTwice = state.withLock { state in
            if state.watched[loop.identity] != nil { return true }
            state.watched[loop.identity] = (loop, subscription)
            return false
        }
        if isTwice { subscription.cancel() }
    }

    /// Lets go of loops that are closed.
    private func letGo() { state.withLock { $0.watched = $0.watched.filter { !$0.value.loop.isClosed } } }

    private func keep(_ report: StallReport) {
        let record = StallRecord(report)
        state.withLock { state in
            if let index = state.stalls.lastIndex(where: { $0.id == record.id }) {
                state.stalls[index] = record
            } else {
                if state.stalls.count == Self.capacity { state.stalls.removeFirst() }
                state.stalls.append(record)
            }
        }
    }

    /// The last stalls, oldest first, those that go on included.
    var stalls: [StallRecord] {
        let now = Monitoring.now
        return state.withLock { $0.stalls }.map { $0.continued(at: now) }
    }
}
