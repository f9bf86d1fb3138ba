/// The time from a dispatch's readiness to its start, in nanoseconds, and the place where it waited.
struct DispatchLag: BitwiseCopyable, Equatable {
    enum Precision: UInt8 { case notApplicable, exact, range }

    var lower: UInt64
    var upper: UInt64
    var precision: Precision
    /// Meaningless if there is no lag.
    var source = LagSource.io

    /// The lag of hooks, which do not wait.
    static var notApplicable: DispatchLag { DispatchLag(lower: 0, upper: 0, precision: .notApplicable) }

    /// Returns the lag of a dispatch with a known ready time. A time later than `start` (another core's clock) counts
    /// as 0.
    @inline(__always)
    static func exact(ready: UInt64, start: UInt64, _ source: LagSource) -> DispatchLag {
        let lag = start > ready ? start &- ready : 0
        return DispatchLag(lower: lag, upper: lag, precision: .exact, source: source)
    }
}

/// The time at which the last poll returned, and how much earlier its events may have been ready. Bounds the lag of
/// I/O.
struct PollTimes: BitwiseCopyable {
    /// A longer poll means that the loop was asleep when the event came, so nothing kept the event waiting, unless the
    /// poll was working in the meantime: registering many descriptors, or writing queued bytes.
    static let asleep: UInt64 = 1_000_000
    /// The delay, due to wake-up and scheduling, with which the kernel may report an event.
    static let tolerance: UInt64 = 100_000

    private var lastReturn: UInt64
    /// The instant since which the loop has been busy and events may have been waiting for the next poll.
    private var busySince: UInt64
    /// How long the loop had been busy when it entered the last poll.
    private var busy: UInt64 = 0
    /// The distance from the lag's lower bound to its upper one.
    private var margin: UInt64 = 0
    /// The probable ready time of the last poll's events: in the busy period before the poll, if that was longer.
    private(set) var probablyReady: UInt64
    /// Whether the poll may do more than wait.
    private var hasDetails = false
    private var details = Details()
    /// The handle of the last I/O dispatch since the poll.
    private var lastHandle: UInt = 0

    struct Details: BitwiseCopyable {
        /// Whether enough bytes are queued that the poll may spend a while writing them before it returns.
        var isFlushing = false
        /// Whether the loop watches enough descriptors that libuv may silently poll again to collect all of their
        /// events.
        var mayRepeat = false
        /// The thread's work before the poll; `nil` if the system does not report it.
        var work: ThreadWork?
    }

    init(at now: UInt64) {
        lastReturn = now
        busySince = now
        probablyReady = now
    }

    /// Records that the loop enters the poll.
    ///
    /// - Parameters:
    ///   - mayWrite: Whether enough bytes are queued that writing them takes the poll a while.
    ///   - mayRepeat: Whether the events of all watched descriptors may not fit into one poll.
    ///   - work: Returns this thread's work, with its processor time if requested; `nil` if the system does not report
    ///     it.
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

    /// Records that the poll returned after it had `waited`, in nanoseconds.
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

    /// A thread that has not given up its processor has not slept. A poll does its work after it has slept.
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

    /// Returns the lag range for an event of `handle` that the last poll reported and whose callback started at
    /// `start`.
    ///
    /// A further callback of the same handle is for something that may have come after the one before (another
    /// connection, or bytes that did not fit into the buffer), and may have become ready as late as the `previous`
    /// stamp.
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
