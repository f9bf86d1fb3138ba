internal import CMonitoredUV
import Synchronization

/// Somebody who wants to know of the dispatches of one loop that run for too long.
///
/// `@unchecked Sendable`: what changes is the watching thread's alone.
final class StallListener: @unchecked Sendable {
    let limit: UInt64
    /// Also while the dispatch is running, with its stack; else when it has ended.
    let isWatching: Bool
    /// What it is told counts in the loop's statistics.
    let isCounted: Bool
    private let tell: @Sendable (StallReport) -> Void

    // MARK: Watching thread

    private var tracker: StallTracker
    private var reports: ReportLimit?
    /// The stall that was admitted last; all that follows about it is, too.
    private var admitted: UInt64?
    private var refused: UInt64?

    init(
        limit: UInt64,
        isWatching: Bool,
        isCounted: Bool = false,
        reports: ReportLimit?,
        tell: @escaping @Sendable (StallReport) -> Void
    ) {
        self.limit = limit
        self.isWatching = isWatching
        self.isCounted = isCounted
        self.reports = reports
        self.tell = tell
        tracker = StallTracker(limit: limit)
    }

    func nextLook(after now: UInt64) -> UInt64 { isWatching ? tracker.nextLook(after: now) : .max }

    func excuse(at now: UInt64) { tracker.excuse(at: now) }

    /// What is to be reported of the dispatch that is running, if anything.
    func observe(
        _ dispatch: InFlight.Dispatch?,
        at now: UInt64,
        isStarved: Bool,
        usage: () -> ThreadUsage?
    ) -> (StallReport.Phase, StallTracker.Stall)? {
        guard isWatching else { return nil }
        switch tracker.observe(dispatch, at: now, isStarved: isStarved, usage: usage) {
        case .nothing: return nil
        case .began(let stall): return (.began, stall)
        case .continues(let stall): return (.continues, stall)
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

    /// `false` if there were too many before: then it is only counted.
    func report(
        _ phase: StallReport.Phase,
        _ stall: StallTracker.Stall,
        loop: CallbackName,
        stack: [StackFrame],
        at now: UInt64
    ) -> Bool {
        let start = stall.dispatch.start
        var suppressed = 0
        if admitted != start {
            if refused == start { return true }  // counted already
            guard let before = reports == nil ? 0 : reports?.admit(at: now) else {
                refused = start
                return false
            }
            suppressed = before
            admitted = start
        }
        tell(
            StallReport(
                phase: phase,
                loopName: loop.text,
                callbackName: stall.dispatch.name.text,
                kind: stall.dispatch.kind,
                duration: Duration(nanoseconds: stall.duration),
                limit: Duration(nanoseconds: limit),
                cause: stall.cause,
                stack: stack,
                suppressed: suppressed,
                start: start
            )
        )
        return true
    }
}
