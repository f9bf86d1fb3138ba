/// The dispatches of one iteration, added up by name from the flight recorder.
///
/// A dispatch that runs past a listener's limit is a stall of its own; only the rest counts for the iteration.
struct IterationSummary: Equatable, Sendable {
    struct Share: Equatable, Sendable {
        let name: CallbackName
        let kind: CallbackKind
        var time: UInt64
    }

    /// When it began: tells it from all others.
    let start: UInt64
    /// When it ended, or was looked at.
    let end: UInt64
    let dispatches: Int
    /// Whether the flight recorder still had all of its dispatches.
    let isComplete: Bool
    /// The time of each name, all of its dispatches together; the heaviest come first.
    let shares: [Share]
    /// The dispatches that ran past the shortest limit of all, each by itself.
    let long: [Share]

    /// - Parameters:
    ///   - records: The dispatches that have ended, oldest first; those before `start` do not count.
    ///   - running: The one that is running.
    ///   - dispatches: How many there were in all.
    ///   - limit: The shortest of all.
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

    /// The iteration's duration without its dispatches that ran past a limit, which must not be below the shortest.
    func ownTime(besides limit: UInt64) -> UInt64 {
        let others = long.reduce(0) { $1.time >= limit ? $0 + $1.time : $0 }
        let total = end > start ? end - start : 0
        return total > others ? total - others : 0
    }

    /// The name that took most of that; `nil` where there is no dispatch.
    func heaviest(besides limit: UInt64) -> Share? {
        let rests = shares.map { share in
            let others = long.reduce(0) { $1.name == share.name && $1.time >= limit ? $0 + $1.time : $0 }
            return Share(name: share.name, kind: share.kind, time: share.time - min(others, share.time))
        }
        return rests.max { $0.time < $1.time }
    }
}
