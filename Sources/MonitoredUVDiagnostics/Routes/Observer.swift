import MonitoredUV
import NIOCore

/// Follows all loops of the process: sets a watchdog on each that comes, and keeps the stalls that they report.
final class Observer: Sendable {
    private let loop: any EventLoop
    private let limit: Duration
    private let state = Lock(State())

    private struct State {
        var watched: [ObjectIdentifier: (loop: Monitoring, subscription: MonitoringSubscription)] = [:]
        var stalls: [StallRecord] = []
        var timer: RepeatedTask?
    }

    /// The number of stalls that are kept.
    private static let capacity = 256

    init(_ loop: any EventLoop, limit: Duration) {
        self.loop = loop
        self.limit = limit
    }

    func start() {
        look()
        let timer = loop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { [weak self] timer in
            if let self { self.look() } else { timer.cancel() }
        }
        state.withLock { $0.timer = timer }
    }

    func stop() {
        let (timer, watched) = state.withLock { state in
            defer { state.watched = [:] }
            return (state.timer.take(), state.watched)
        }
        timer?.cancel()
        for (_, subscription) in watched.values { subscription.cancel() }
    }

    /// Sets watchdogs on new loops, and lets go of those that are closed.
    private func look() {
        let all = Monitoring.all
        let known = state.withLock { state in
            state.watched = state.watched.filter { !$0.value.loop.isClosed }
            return Set(state.watched.keys)
        }
        for loop in all where !known.contains(loop.identity) {
            let subscription = loop.observeStalls(limit: limit) { [weak self] in self?.keep($0) }
            state.withLock { $0.watched[loop.identity] = (loop, subscription) }
        }
    }

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
    var stalls: [StallRecord] { state.withLock { $0.stalls } }
}
