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
    /// Beyond this the loop was asleep when the event came, so nothing kept the event waiting.
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

    init(at now: UInt64) {
        lastReturn = now
        probablyReady = now
    }

    @inline(__always)
    mutating func enter(at now: UInt64) { busy = now &- lastReturn }

    /// The poll returned after it had `waited`.
    @inline(__always)
    mutating func leave(at now: UInt64, waited: UInt64) {
        lastReturn = now
        margin = waited > Self.asleep ? 0 : busy &+ min(waited, Self.tolerance)
        probablyReady = waited > busy ? now : now &- waited &- busy
    }

    /// The range for an event that the last poll reported and whose callback started at `start`.
    @inline(__always)
    func lag(start: UInt64) -> DispatchLag {
        let lower = start &- lastReturn
        return DispatchLag(lower: lower, upper: lower &+ margin, precision: .range)
    }
}
