/// How long a dispatch had been ready before it started, in nanoseconds.
struct DispatchLag: BitwiseCopyable, Equatable {
    enum Precision: UInt8 { case none, exact, range }

    var lower: UInt64
    var upper: UInt64
    var precision: Precision

    /// For hooks: they do not wait.
    static let none = DispatchLag(lower: 0, upper: 0, precision: .none)

    /// For what carries the instant it became ready. An instant ahead of `start` (another core's clock) counts as 0.
    @inline(__always)
    static func exact(ready: UInt64, start: UInt64) -> DispatchLag {
        let lag = start > ready ? start &- ready : 0
        return DispatchLag(lower: lag, upper: lag, precision: .exact)
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
    /// How long the loop was busy between the last two polls.
    private var busy: UInt64 = 0
    /// What the lag's upper bound has on its lower one.
    private var margin: UInt64 = 0
    /// When the events of the last poll were probably ready: while the loop was busy before it, if that was longer.
    private(set) var probablyReady: UInt64
    /// How often the thread had given up its processor when it went into the poll; `nil` where that does not matter.
    private var switches: Int?
    /// The handle of the last dispatch of I/O since the poll.
    private var lastHandle: UnsafeRawPointer?
    /// libuv polls again, without saying so, where the events of one poll fill its buffer.
    private var mayRepeat = false

    init(at now: UInt64) {
        lastReturn = now
        probablyReady = now
    }

    /// - Parameter switches: How often this thread has given up its processor of its own accord; `nil` where the
    ///   system does not tell.
    @inline(__always)
    mutating func enter(at now: UInt64, mayRepeat: Bool = false, switches: () -> Int?) {
        busy = now &- lastReturn
        self.mayRepeat = mayRepeat
        if _slowPath(busy > Self.asleep) { self.switches = switches() } else { self.switches = nil }
    }

    /// The poll returned after it had `waited`.
    @inline(__always)
    mutating func leave(at now: UInt64, waited: UInt64, switches: () -> Int?) {
        lastReturn = now
        lastHandle = nil
        if _slowPath(waited > Self.asleep) { return leaveLate(at: now, waited, switches()) }
        margin = busy &+ min(waited, Self.tolerance)
        probablyReady = waited > busy ? now : now &- waited &- busy
    }

    /// Whoever has not given up the processor has not slept.
    @inline(never)
    private mutating func leaveLate(at now: UInt64, _ waited: UInt64, _ switches: Int?) {
        let hasSlept = switches == nil || self.switches == nil || switches != self.switches
        margin = hasSlept ? 0 : busy &+ waited
        probablyReady = now &- margin
    }

    /// The range for an event of a `handle` that the last poll reported, and whose callback started at `start`.
    ///
    /// A later callback of the same handle is for what came after the one before (another connection, what did not fit
    /// into the buffer), at the earliest at the `previous` stamp.
    @inline(__always)
    mutating func lag(of handle: UnsafeRawPointer, start: UInt64, previous: UInt64) -> DispatchLag {
        let lag = start &- lastReturn
        var lower = lag
        if _slowPath(handle == lastHandle || mayRepeat), lastHandle != nil { lower = start &- previous }
        lastHandle = handle
        return DispatchLag(lower: lower, upper: lag &+ margin, precision: .range)
    }
}
