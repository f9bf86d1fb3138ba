internal import CMonitoredUV
import Synchronization

/// Somebody who wants to know of the dispatches and iterations of one loop that run for too long.
///
/// `@unchecked Sendable`: what changes is the watching thread's alone.
final class StallListener: @unchecked Sendable {
    let limit: UInt64
    /// Also while the dispatch is running, with its stack; else when it has ended.
    let isWatching: Bool
    /// What it is told counts in the loop's statistics.
    let isCounted: Bool
    /// To be told at once, on the watching thread: it does next to nothing.
    let isDirect: Bool
    let tell: @Sendable (StallReport) -> Void

    // MARK: Watching thread

    private var tracker: StallTracker
    private var iterations: StallTracker
    private var reports: ReportLimit?
    /// The stall that was admitted last; all that follows about it is, too.
    private var admitted: StallID?
    private var refused: StallID?

    init(
        limit: UInt64,
        isWatching: Bool,
        isCounted: Bool = false,
        isDirect: Bool = false,
        reports: ReportLimit?,
        tell: @escaping @Sendable (StallReport) -> Void
    ) {
        self.limit = limit
        self.isWatching = isWatching
        self.isCounted = isCounted
        self.isDirect = isDirect
        self.reports = reports
        self.tell = tell
        tracker = StallTracker(limit: limit)
        iterations = StallTracker(limit: limit)
    }

    /// Who only waits for the end wants to know as well that the process stood still.
    func nextLook(after now: UInt64) -> UInt64 {
        isWatching ? min(tracker.nextLook(after: now), iterations.nextLook(after: now)) : now + 500_000_000
    }

    func excuse(at now: UInt64) {
        tracker.excuse(at: now)
        iterations.excuse(at: now)
    }

    /// What is to be reported of the dispatch that is running, if anything.
    func observe(
        _ dispatch: InFlight.Dispatch?,
        at now: UInt64,
        isStarved: Bool,
        usage: () -> ThreadUsage?
    ) -> (StallReport.Phase, StallTracker.Stall)? {
        guard isWatching else { return nil }
        return Self.report(tracker.observe(dispatch, at: now, isStarved: isStarved, usage: usage))
    }

    /// What is to be reported of the iteration that is going on, if anything. `summary` is asked for only where it has
    /// been going on for a while.
    func observeIteration(
        since start: UInt64?,
        running: InFlight.Dispatch?,
        at now: UInt64,
        isStarved: Bool,
        usage: () -> ThreadUsage?,
        summary: (UInt64) -> IterationSummary
    ) -> (StallReport.Phase, StallTracker.Stall)? {
        guard isWatching else { return nil }
        guard let start, now >= start + limit / 2 else {
            _ = iterations.observe(nil, at: now, usage: usage)
            return nil
        }
        let summary = summary(start)
        guard let heaviest = summary.heaviest else { return nil }
        // What one dispatch makes up for the most part is told of as that, if it goes on.
        if let running, !iterations.hasReported, now - running.start > (now - summary.start) / 2 { return nil }
        let iteration = InFlight.Dispatch(start: summary.start, name: heaviest.name, kind: heaviest.kind)
        let finding = iterations.observe(iteration, at: now, isStarved: isStarved, usage: usage)
        return Self.report(finding, dispatches: summary.dispatches)
    }

    private static func report(
        _ finding: StallTracker.Finding,
        dispatches: Int? = nil
    ) -> (StallReport.Phase, StallTracker.Stall)? {
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
    ) -> StallTracker.Stall? {
        wall < limit ? nil : tracker.ended(dispatch, wall: wall, at: now, usage: usage)
    }

    func iterationEnded(
        _ summary: IterationSummary,
        end: UInt64,
        at now: UInt64,
        usage: () -> ThreadUsage?
    ) -> StallTracker.Stall? {
        guard let heaviest = summary.heaviest, end >= summary.start + limit else { return nil }
        let iteration = InFlight.Dispatch(start: summary.start, name: heaviest.name, kind: heaviest.kind)
        var stall = iterations.ended(iteration, wall: end - summary.start, at: now, usage: usage)
        stall?.dispatches = summary.dispatches
        return stall
    }

    /// How many stalls were not reported before this one; `nil` if this one is not to be either.
    func admit(_ stall: StallTracker.Stall, at now: UInt64) -> Admission {
        if admitted == stall.id { return .admitted(suppressed: 0) }
        if refused == stall.id { return .refusedBefore }
        guard let suppressed = reports == nil ? 0 : reports?.admit(at: now) else {
            refused = stall.id
            return .refused
        }
        admitted = stall.id
        return .admitted(suppressed: suppressed)
    }

    enum Admission: Equatable {
        case admitted(suppressed: Int)
        /// There were too many, and it is to be counted; or it was.
        case refused, refusedBefore
    }
}
