/// The dispatches of one iteration, totaled by name from the flight recorder.
///
/// A dispatch that runs past a listener's limit is a stall of its own; only the rest counts toward the iteration.
struct IterationSummary: Equatable, Sendable {
    struct Share: Equatable, Sendable {
        let name: CallbackName
        let kind: CallbackKind
        var time: UInt64
    }

    /// The start of the iteration, which identifies it.
    let start: UInt64
    /// The time at which the iteration ended or was sampled.
    let end: UInt64
    let dispatches: Int
    /// Whether the flight recorder still had all of its dispatches.
    let isComplete: Bool
    /// The total time of each name, heaviest first.
    let shares: [Share]
    /// The dispatches that ran past the shortest of all limits, individually.
    let long: [Share]

    /// - Parameters:
    ///   - records: The dispatches that have ended, oldest first; those before `start` do not count.
    ///   - running: The running dispatch.
    ///   - dispatches: The total number of dispatches.
    ///   - limit: The shortest of all limits.
    init(
        from start: UInt64,
        to end: UInt64,
        _ records: [FlightRecord],
        running: InFlight.Dispatch? = nil,
        dispatches: Int,
        limit: UInt64
    ) {
        var times: [CallbackName: Share] = [:]
        var long: [Share] = []
        func add(_ share: Share) {
            times[share.name, default: Share(name: share.name, kind: share.kind, time: 0)].time += share.time
            if share.time >= limit { long.append(share) }
        }
        var ended = 0
        for record in records where record.start >= start && record.start < end {
            add(Share(name: record.name, kind: record.kind, time: record.wallTime))
            ended += 1
        }
        let lastEnd = records.last?.end ?? 0
        if let running, running.start >= max(start, lastEnd), end > running.start {
            add(Share(name: running.name, kind: running.kind, time: end - running.start))
        }
        self.start = start
        self.end = end
        self.dispatches = max(dispatches, ended)
        isComplete = ended >= dispatches
        shares = times.values.sorted { ($1.time, $0.name.id) < ($0.time, $1.name.id) }
        self.long = long
    }

    /// Returns the iteration's duration minus its dispatches that ran past `limit`, which must not be below the
    /// shortest.
    func ownTime(besides limit: UInt64) -> UInt64 {
        let others = long.reduce(0) { $1.time >= limit ? $0 + $1.time : $0 }
        let total = end > start ? end - start : 0
        return total > others ? total - others : 0
    }

    /// Returns the name that took most of that time; `nil` if there are no dispatches.
    func heaviest(besides limit: UInt64) -> Share? {
        let rests = shares.map { share in
            let others = long.reduce(0) { $1.name == share.name && $1.time >= limit ? $0 + $1.time : $0 }
            return Share(name: share.name, kind: share.kind, time: share.time - min(others, share.time))
        }
        return rests.max { $0.time < $1.time }
    }
}
