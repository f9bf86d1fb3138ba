/// The rules that decide whether a loop's dispatches are stuck: observations go in, findings to report come out. It
/// reads no clock and no thread.
struct StallTracker {
    /// A dispatch past the limit, or an iteration made of many, as it is at one instant.
    struct Sighting: Equatable {
        /// For an iteration: when it began, and what took most of it.
        let dispatch: InFlight.Dispatch
        var duration: UInt64
        var cause: StallCause?
        /// The number of dispatches in an iteration; `nil` for a dispatch.
        var dispatches: Int?

        var id: StallID { StallID(start: dispatch.start, isIteration: dispatches != nil) }
    }

    enum Finding: Equatable {
        case nothing
        case began(Sighting)
        case continues(Sighting)
    }

    /// The factor between the durations at which a dispatch is reported.
    private static let growth: UInt64 = 4
    private static let shortestPause: UInt64 = 1_000_000_000

    let limit: UInt64
    private var seen: Seen?
    /// The dispatch under the name of its last report; for an iteration, the name may change.
    private var reportedLast: InFlight.Dispatch?
    /// The start of the dispatch that was last reported as ended; for an instant, it may still look as if it were
    /// running.
    private var lastEnded: UInt64 = 0
    /// The instant until which the whole process did not run.
    private var deadlineResetAt: UInt64 = 0

    private struct Seen {
        let dispatch: InFlight.Dispatch
        let firstAt: UInt64
        /// The thread's usage at that time; `nil` where it is not known.
        let firstUsage: ThreadUsage?
        /// The instant from which the limit counts: the dispatch's start, unless the whole process was suspended.
        var since: UInt64
        var next: UInt64
        var wasReported = false
        /// Whether it was already past the limit when first seen, because the watchdog got no CPU.
        let isStarved: Bool
        /// The cause that was reported last.
        var cause: StallCause?
    }

    init(limit: UInt64) { self.limit = limit }

    /// Returns the last report of the stall that began at this instant; `nil` if there was none.
    func reported(_ start: UInt64) -> InFlight.Dispatch? {
        guard let seen, seen.dispatch.start == start, seen.wasReported else { return nil }
        return reportedLast ?? seen.dispatch
    }

    /// Returns a stall that was reported, or may have been too long, and whose end was not noticed because the limit
    /// was set after it began.
    func gone(_ running: UInt64?, at now: UInt64) -> (InFlight.Dispatch, wasReported: Bool)? {
        guard let seen, seen.dispatch.start != running else { return nil }
        if seen.wasReported { return (reportedLast ?? seen.dispatch, true) }
        return now >= seen.since + limit ? (seen.dispatch, false) : nil
    }

    /// The longest time between two looks at which each dispatch is seen once before its limit.
    var interval: UInt64 { max(1_000_000, limit / 2) }

    /// Returns when to look again: at the next report of the dispatch that was seen last, if that comes first.
    func nextLook(after now: UInt64) -> UInt64 {
        guard let seen else { return now + interval }
        return seen.wasReported ? min(seen.next, now + Self.shortestPause) : min(seen.next, now + interval)
    }

    /// Records that the loop is in this dispatch now, or in none.
    ///
    /// - Parameters:
    ///   - isStarved: Whether this look should have come earlier, but the watchdog got no CPU.
    ///   - isPast: Whether the dispatch is past its limit, where more than its duration decides.
    mutating func observe(
        _ dispatch: InFlight.Dispatch?,
        at now: UInt64,
        isStarved: Bool = false,
        isPast: Bool = true,
        usage: () -> ThreadUsage?
    ) -> Finding {
        guard let dispatch, dispatch.start != lastEnded else {
            seen = nil
            return .nothing
        }
        if seen?.dispatch.start != dispatch.start {
            seen = Seen(
                dispatch: dispatch,
                firstAt: now,
                firstUsage: usage(),
                since: max(dispatch.start, deadlineResetAt),
                // It takes a while to see what a thread does.
                next: max(max(dispatch.start, deadlineResetAt) + limit, isStarved ? now : now + limit / 4),
                isStarved: isStarved && now >= dispatch.start + limit
            )
        }
        guard let known = seen, now >= known.next else { return .nothing }
        if !isPast && !known.wasReported {
            seen?.next = now + max(1_000_000, limit / 4)
            return .nothing
        }
        let stall = stall(dispatch, known, at: now, usage: usage)
        seen?.wasReported = true
        reportedLast = dispatch
        seen?.cause = stall.cause
        let passed = now - known.since
        seen?.next = now + max(Self.shortestPause, passed * (Self.growth - 1))
        return known.wasReported ? .continues(stall) : .began(stall)
    }

    /// Ends a dispatch that ran past the limit; returns `nil` if the process was suspended meanwhile, so that the
    /// duration is meaningless.
    mutating func ended(_ dispatch: InFlight.Dispatch, wall: UInt64, at now: UInt64, usage: () -> ThreadUsage?)
        -> Sighting?
    {
        lastEnded = dispatch.start
        guard let known = seen, known.dispatch.start == dispatch.start else {
            let isBeforeReset = dispatch.start < deadlineResetAt && dispatch.start + wall < deadlineResetAt + limit
            return isBeforeReset ? nil : Sighting(dispatch: dispatch, duration: wall, cause: nil)
        }
        seen = nil
        let end = dispatch.start + wall
        if end < known.since + limit && !known.wasReported { return nil }
        var stall = stall(dispatch, known, at: end, hasEnded: true, usage: usage)
        stall.duration = wall
        // The thread has continued: what it did after the end must not count for much.
        let seenFor = end > known.firstAt ? end - known.firstAt : 0
        if known.wasReported, now > end, now - end > seenFor / 4 { stall.cause = known.cause }
        return stall
    }

    /// Restarts the limit of a dispatch that is under way, because the whole process did not run until `now`.
    mutating func resetDeadline(at now: UInt64) {
        deadlineResetAt = now
        seen?.since = now
        seen?.next = now + limit
    }

    private func stall(
        _ dispatch: InFlight.Dispatch,
        _ known: Seen,
        at now: UInt64,
        hasEnded: Bool = false,
        usage: () -> ThreadUsage?
    ) -> Sighting {
        let watched = now > known.firstAt ? now - known.firstAt : 0
        var cause = known.cause
        if let first = known.firstUsage, let last = usage() {
            cause = known.isStarved ? .descheduled : Self.cause(from: first, to: last, of: watched, hasEnded: hasEnded)
        }
        return Sighting(dispatch: dispatch, duration: now - dispatch.start, cause: cause)
    }

    /// Returns the cause: what the thread did for most of the time.
    ///
    /// - Parameter hasEnded: Whether the dispatch has ended, after which the thread may have gone to sleep.
    static func cause(from first: ThreadUsage, to last: ThreadUsage, of time: UInt64, hasEnded: Bool = false)
        -> StallCause
    {
        let usage = last - first
        let used = usage.running + usage.waitingToRun
        let rest = time > used ? time - used : 0
        // A thread that was always ready to run, and neither ran nor was counted as waiting, was preempted.
        let isAsleep = !last.isRunnable && !hasEnded
        let sleeps = usage.sleeps - (hasEnded && !last.isRunnable ? min(usage.sleeps, 1) : 0)
        let slept = first.isRunnable && !isAsleep && sleeps == 0 ? 0 : rest
        let waited = usage.waitingToRun + rest - slept
        if waited > max(usage.running, slept) { return .descheduled }
        return usage.running >= slept ? .cpu : .wait
    }
}
