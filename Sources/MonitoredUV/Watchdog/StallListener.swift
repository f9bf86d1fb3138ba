import CMonitoredUV
import Synchronization

/// A subscriber to the stalls of one loop: dispatches and iterations that run for too long.
///
/// `@unchecked Sendable`: only the watchdog thread uses the mutable state.
final class StallListener: @unchecked Sendable {
    let limit: UInt64
    /// Whether stalls are also reported while the dispatch is running, with its stack, and not only when it has ended.
    let isWatching: Bool
    /// Whether its stalls count in the loop's statistics.
    let isCounted: Bool
    /// Whether it is called at once, on the watchdog thread, because it does next to nothing.
    let isDirect: Bool
    let notify: @Sendable (StallReport) -> Void

    // MARK: Watchdog thread

    private var tracker: StallTracker
    private var iterations: StallTracker
    private var reports: ReportLimit?
    /// The stalls that were admitted last, a dispatch and an iteration. All later reports about them are also admitted.
    private var admitted = (dispatch: StallID?.none, iteration: StallID?.none)
    private var refused = (dispatch: StallID?.none, iteration: StallID?.none)

    init(
        limit: UInt64,
        isWatching: Bool,
        isCounted: Bool = false,
        isDirect: Bool = false,
        reports: ReportLimit?,
        notify: @escaping @Sendable (StallReport) -> Void
    ) {
        self.limit = limit
        self.isWatching = isWatching
        self.isCounted = isCounted
        self.isDirect = isDirect
        self.reports = reports
        self.notify = notify
        tracker = StallTracker(limit: limit)
        iterations = StallTracker(limit: limit)
    }

    /// End-only subscribers still look twice a second, to notice a suspended process.
    func nextLook(after now: UInt64) -> UInt64 {
        isWatching ? min(tracker.nextLook(after: now), iterations.nextLook(after: now)) : now + 500_000_000
    }

    func resetDeadline(at now: UInt64) {
        tracker.resetDeadline(at: now)
        iterations.resetDeadline(at: now)
    }

    /// Returns the report that is due on the running dispatch, if any.
    func observe(
        _ dispatch: InFlight.Dispatch?,
        at now: UInt64,
        isStarved: Bool,
        usage: () -> ThreadUsage?
    ) -> (StallReport.Phase, StallTracker.Sighting)? {
        guard isWatching else { return nil }
        return Self.report(tracker.observe(dispatch, at: now, isStarved: isStarved, usage: usage))
    }

    /// Returns the report that is due on the current iteration, if any. `summary` is called only once the iteration has
    /// lasted for the limit.
    func observeIteration(
        since start: UInt64?,
        running: InFlight.Dispatch?,
        at now: UInt64,
        isStarved: Bool,
        usage: () -> ThreadUsage?,
        summary: (UInt64) -> IterationSummary
    ) -> (StallReport.Phase, StallTracker.Sighting)? {
        guard isWatching else { return nil }
        guard let start, now >= start + limit / 2 else {
            _ = iterations.observe(nil, at: now, usage: usage)
            return nil
        }
        // The iteration's dispatches matter only past the limit; what its thread does matters before.
        let summary = now >= start + limit ? summary(start) : nil
        let own = summary?.ownTime(besides: limit) ?? 0
        let heaviest = summary?.heaviest(besides: limit)
        // An iteration that consists mostly of one dispatch is reported as that dispatch, if it continues.
        let age = running.map { now > $0.start ? now - $0.start : 0 } ?? 0
        let isPast = heaviest != nil && own >= limit && age <= own / 2
        let iteration = InFlight.Dispatch(start: start, name: heaviest?.name ?? .other, kind: heaviest?.kind ?? .posted)
        let finding = iterations.observe(iteration, at: now, isStarved: isStarved, isPast: isPast, usage: usage)
        return Self.report(finding, dispatches: summary?.dispatches ?? 0)
    }

    private static func report(
        _ finding: StallTracker.Finding,
        dispatches: Int? = nil
    ) -> (StallReport.Phase, StallTracker.Sighting)? {
        switch finding {
        case .nothing: return nil
        case .began(var stall):
            stall.dispatches = dispatches
            return (.began, stall)
        case .continues(var stall):
            stall.dispatches = dispatches
            return (.continues, stall)
        }
    }

    func ended(
        _ dispatch: InFlight.Dispatch,
        wall: UInt64,
        at now: UInt64,
        usage: () -> ThreadUsage?
    ) -> StallTracker.Sighting? {
        wall < limit ? nil : tracker.ended(dispatch, wall: wall, at: now, usage: usage)
    }

    /// Ends an iteration. It is a stall if it was reported while it lasted, or was too long without those of its
    /// dispatches that are stalls themselves.
    func ended(_ summary: IterationSummary, at now: UInt64, usage: () -> ThreadUsage?) -> StallTracker.Sighting? {
        // In the iteration in which monitoring begins, nothing may be known of its dispatches.
        if summary.dispatches == 0 { return nil }
        let known = iterations.reported(summary.start)
        guard known != nil || summary.ownTime(besides: limit) >= limit else { return nil }
        // If the flight recorder has lost its beginning, the earlier observation is more reliable.
        let heaviest = summary.heaviest(besides: limit).map {
            InFlight.Dispatch(start: summary.start, name: $0.name, kind: $0.kind)
        }
        let unnamed = InFlight.Dispatch(start: summary.start, name: .other, kind: .posted)
        let iteration = (summary.isComplete ? heaviest : known ?? heaviest) ?? known ?? unnamed
        var stall = iterations.ended(iteration, wall: summary.end - summary.start, at: now, usage: usage)
        stall?.dispatches = summary.dispatches
        return stall
    }

    /// Returns a dispatch that may have run for too long and whose end the loop did not announce, and whether it was
    /// reported.
    func gone(running: InFlight.Dispatch?, at now: UInt64) -> (InFlight.Dispatch, wasReported: Bool)? {
        tracker.gone(running?.start, at: now)
    }

    /// Returns an iteration that was reported and whose end the loop did not announce.
    func goneIteration(_ running: UInt64?) -> InFlight.Dispatch? {
        guard let (gone, wasReported) = iterations.gone(running, at: 0), wasReported else { return nil }
        return gone
    }

    /// Whether the dispatch or iteration that began at this instant was reported while it lasted.
    func hasReported(_ start: UInt64) -> Bool { tracker.reported(start) != nil || iterations.reported(start) != nil }

    /// Returns the number of stalls not reported before this one; `nil` if this one is not to be reported, either.
    func admit(_ stall: StallTracker.Sighting, at now: UInt64) -> Admission {
        let id = stall.id
        if admitted.dispatch == id || admitted.iteration == id { return .admitted(suppressed: 0) }
        if refused.dispatch == id || refused.iteration == id { return .refusedBefore }
        guard let suppressed = reports == nil ? 0 : reports?.admit(at: now) else {
            if id.isIteration { refused.iteration = id } else { refused.dispatch = id }
            return .refused
        }
        if id.isIteration { admitted.iteration = id } else { admitted.dispatch = id }
        return .admitted(suppressed: suppressed)
    }

    enum Admission: Equatable {
        case admitted(suppressed: Int)
        /// There were too many, and this one is to be counted, or already was.
        case refused, refusedBefore
    }
}
