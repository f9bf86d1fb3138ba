/// The time for which a dispatch had been ready before it started, in nanoseconds, and what it waited in.
struct DispatchLag: BitwiseCopyable, Equatable {
    enum Precision: UInt8 { case notApplicable, exact, range }

    var lower: UInt64
    var upper: UInt64
    var precision: Precision
    /// Without meaning where there is no lag.
    var source = LagSource.io

    /// For hooks: they do not wait.
    static var notApplicable: DispatchLag { DispatchLag(lower: 0, upper: 0, precision: .notApplicable) }

    /// For what carries the instant it became ready. An instant ahead of `start` (another core's clock) counts as 0.
    @inline(__always)
    static func exact(ready: UInt64, start: UInt64, _ source: LagSource) -> DispatchLag {
        let lag = start > ready ? start &- ready : 0
        return DispatchLag(lower: lag, upper: lag, precision: .exact, source: source)
    }
}

/// When the last poll returned, and how much earlier its events may have been ready: what bounds the lag of I/O.
struct PollTimes: BitwiseCopyable {
    /// Beyond this the loop was asleep when the event came, so nothing kept the event waiting, unless the poll was at
    /// work meanwhile: registering many descriptors, or writing what was queued.
    static let asleep: UInt64 = 1_000_000
    /// An event may be reported this much later than the kernel had it, by wake-up and by scheduling.
    static let tolerance: UInt64 = 100_000

    private var lastReturn: UInt64
    /// The instant from which the loop has been busy, and events may wait for the next poll.
    private var busySince: UInt64
    /// The time for which it had been busy when it went into the last poll.
    private var busy: UInt64 = 0
    /// The distance from the lag's lower bound to its upper one.
    private var margin: UInt64 = 0
    /// When the events of the last poll were probably ready: while the loop was busy before it, if that was longer.
    private(set) var probablyReady: UInt64
    /// The poll may do more than wait.
    private var hasDetails = false
    private var details = Details()
    /// The handle of the last dispatch of I/O since the poll.
    private var lastHandle: UInt = 0

    struct Details: BitwiseCopyable {
        /// Enough bytes are queued that the poll may spend a while writing them before it returns.
        var isFlushing = false
        /// The loop watches enough descriptors that libuv may poll again, without saying so, for all of their events.
        var mayRepeat = false
        /// The thread's work before the poll; `nil` if the system does not tell.
        var work: ThreadWork?
    }

    init(at now: UInt64) {
        lastReturn = now
        busySince = now
        probablyReady = now
    }

    /// - Parameters:
    ///   - mayWrite: Enough bytes are queued that writing them takes the poll a while.
    ///   - mayRepeat: The events of all watched descriptors may not fit into one poll.
    ///   - work: What this thread has done, with its processor time if asked for; `nil` where the system does not tell.
    @inline(__always)
    mutating func enter(
        at now: UInt64,
        mayWrite: Bool = false,
        mayRepeat: Bool = false,
        work: (_ withTime: Bool) -> ThreadWork?
    ) {
        busy = now &- busySince
        hasDetails = false
        if _slowPath(mayWrite || mayRepeat || busy > Self.asleep) {
            hasDetails = true
            let mayWork = mayWrite || busy > Self.asleep
            details = Details(isFlushing: mayWrite, mayRepeat: mayRepeat, work: mayWork ? work(mayWrite) : nil)
        }
    }

    /// The poll returned after it had `waited`.
    @inline(__always)
    mutating func leave(at now: UInt64, waited: UInt64, work: (_ withTime: Bool) -> ThreadWork?) {
        lastReturn = now
        lastHandle = 0
        if _slowPath(hasDetails || waited > Self.asleep) {
            if !hasDetails { details = Details() }
            let needsWork = details.work != nil && (details.isFlushing || waited > Self.asleep)
            return leave(at: now, waited, needsWork ? work(details.isFlushing) : nil)
        }
        busySince = now
        margin = busy &+ min(waited, Self.tolerance)
        probablyReady = waited > busy ? now : now &- waited &- busy
    }

    /// A thread that has not given up its processor has not slept. What a poll does, it does after it has slept.
    @inline(never)
    private mutating func leave(at now: UInt64, _ waited: UInt64, _ work: ThreadWork?) {
        var worked: UInt64 = 0
        var hasSlept = waited > Self.asleep
        if let before = details.work, let after = work {
            hasSlept = hasSlept && after.waits != before.waits
            worked = hasSlept ? min(waited, after.processorTime &- before.processorTime) : waited
        }
        busySince = now &- worked
        margin = hasSlept ? worked : busy &+ max(worked, min(waited, Self.tolerance))
        probablyReady = hasSlept || waited > busy &+ worked ? now &- worked : now &- margin
    }

    /// The range for an event of a `handle` that the last poll reported, and whose callback started at `start`.
    ///
    /// A later callback of the same handle is for what came after the one before (another connection, what did not fit
    /// into the buffer), at the earliest at the `previous` stamp.
    @inline(__always)
    mutating func lag(of handle: UnsafeRawPointer, start: UInt64, previous: UInt64) -> DispatchLag {
        let lag = start &- lastReturn
        var lower = lag
        let handle = UInt(bitPattern: handle)
        if handle == lastHandle { lower = start &- previous }
        if _slowPath(hasDetails), details.mayRepeat, lastHandle != 0 { lower = start &- previous }
        lastHandle = handle
        return DispatchLag(lower: lower, upper: lag &+ margin, precision: .range)
    }
}
