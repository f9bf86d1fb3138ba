/// The last stalls of a loop, for reports and traces, and the durations of all stalls. Any thread.
final class StallArchive: Sendable {
    private struct State {
        var stalls: [Stall] = []
        var durations: [StallCause: DurationHistogram] = [:]
        /// The stalls that were counted last.
        var counted: [StallID] = []
    }

    private let state = Lock(State())
    private static let capacity = 64

    /// Returns the stall of this kind and time, which is added if it is new.
    func add(_ id: StallID, _ cause: StallCause?) -> Stall {
        state.withLock { state in
            if let known = state.stalls.last(where: { $0.id == id }) { return known }
            let stall = Stall(id, cause)
            if state.stalls.count == Self.capacity { state.stalls.removeFirst() }
            state.stalls.append(stall)
            return stall
        }
    }

    subscript(_ id: StallID) -> Stall? { state.withLock { $0.stalls.last { $0.id == id } } }

    /// The last stalls, oldest first.
    var recent: [Stall] { state.withLock { $0.stalls } }

    /// Counts a stall that has ended, once, however many listeners it has.
    func count(_ id: StallID, _ cause: StallCause, _ duration: UInt64) {
        state.withLock { state in
            if state.counted.contains(id) { return }
            if state.counted.count == Self.capacity { state.counted.removeFirst() }
            state.counted.append(id)
            state.durations[cause, default: DurationHistogram()].record(duration)
        }
    }

    var durations: [StallCause: DurationHistogram] { state.withLock { $0.durations } }
}
