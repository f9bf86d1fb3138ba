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
    /// To be told at once, on the watching thread: it does next to nothing.
    let isDirect: Bool
    let tell: @Sendable (StallReport) -> Void

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
    }

    /// Who only waits for the end wants to know as well that the process stood still.
    func nextLook(after now: UInt64) -> UInt64 { isWatching ? tracker.nextLook(after: now) : now + 500_000_000 }

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

    /// How many stalls were not reported before this one; `nil` if this one is not to be either.
    func admit(_ stall: StallTracker.Stall, at now: UInt64) -> Admission {
        let start = stall.dispatch.start
        if admitted == start { return .admitted(suppressed: 0) }
        if refused == start { return .refusedBefore }
        guard let suppressed = reports == nil ? 0 : reports?.admit(at: now) else {
            refused = start
            return .refused
        }
        admitted = start
        return .admitted(suppressed: suppressed)
    }

    enum Admission: Equatable {
        case admitted(suppressed: Int)
        /// There were too many, and it is to be counted; or it was.
        case refused, refusedBefore
    }
}
