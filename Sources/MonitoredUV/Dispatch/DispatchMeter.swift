/// A meter that attributes the loop's time, stamp by stamp, and derives the lag of its dispatches. It reads no clock
/// itself.
///
/// At every instant of a run, exactly one part is active, so nothing is counted twice or left out. The sums themselves
/// are stored with the loop, where other threads may read them.
struct DispatchMeter {
    private let sums: LoopTimeSums
    private(set) var polls: PollTimes
    private var part = LoopTimeSums.Part.outside
    private var isRunning = false
    private var isOn = false
    /// The last stamp.
    private(set) var last: UInt64 = 0
    /// When monitoring began; earlier work counts as ready then, unless it carries an instant of its own.
    private(set) var monitoredSince: UInt64
    /// When the last iteration began: when its poll returned, or when the run or monitoring began.
    private(set) var iterationStart: UInt64

    init(at now: UInt64, _ sums: LoopTimeSums) {
        self.sums = sums
        polls = PollTimes(at: now)
        monitoredSince = now
        iterationStart = now
    }

    var isPolling: Bool {
        @inline(__always) get { part == .poll }
    }

    /// Starts measuring, because the level rose above `off`.
    mutating func beginMonitoring(at now: UInt64) {
        polls = PollTimes(at: now)
        monitoredSince = now
        isOn = true
        if isRunning { begin(at: now) } else { change(to: .outside, at: now) }
    }

    /// Stops measuring, because the level is `off` again.
    mutating func endMonitoring(at now: UInt64) {
        end(at: now)
        isOn = false
    }

    /// Begins a run. The time between two runs belongs to no part.
    mutating func resume(at now: UInt64) {
        isRunning = true
        if isOn { begin(at: now) }
    }

    /// Ends a run.
    mutating func pause(at now: UInt64) {
        isRunning = false
        if isOn { end(at: now) }
    }

    private mutating func begin(at now: UInt64) {
        beginIteration(at: now)
        change(to: .overhead, at: now)
    }

    private mutating func end(at now: UInt64) {
        change(to: .outside, at: now)
        sums.setIteration(0)
    }

    @inline(__always)
    mutating func enterPoll(
        at now: UInt64,
        mayWrite: Bool,
        mayRepeat: Bool,
        work: (Bool) -> ThreadWork?
    ) {
        polls.enter(at: now, mayWrite: mayWrite, mayRepeat: mayRepeat, work: work)
        sums.setIteration(0)
        change(to: .poll, at: now)
    }

    /// Ends the poll at `now`, the first stamp after it, and returns how long it waited. A change to the next part
    /// follows.
    @inline(__always)
    mutating func leavePoll(at now: UInt64, work: (Bool) -> ThreadWork?) -> UInt64 {
        let waited = now &- last
        polls.leave(at: now, waited: waited, work: work)
        beginIteration(at: now)
        return waited
    }

    /// Parks within an iteration, which ends with that if the pause turns out to be long.
    @inline(__always)
    mutating func park(at now: UInt64) {
        sums.setIteration(0)
        change(to: .poll, at: now)
    }

    /// Unparks, in the same iteration or in a new one.
    @inline(__always)
    mutating func unpark(at now: UInt64, isSameIteration: Bool) {
        if isSameIteration { sums.setIteration(iterationStart) } else { beginIteration(at: now) }
        change(to: .overhead, at: now)
    }

    @inline(__always)
    private mutating func beginIteration(at now: UInt64) {
        iterationStart = now
        sums.setIteration(now)
    }

    /// Records that the loop is in its own code.
    @inline(__always)
    mutating func stamp(at now: UInt64) { change(to: .overhead, at: now) }

    /// Records that the user's code begins.
    @inline(__always)
    mutating func beginCallback(at now: UInt64) { change(to: .callbacks, at: now) }

    /// Records that the monitor begins.
    @inline(__always)
    mutating func beginMonitor(at now: UInt64) { change(to: .monitor, at: now) }

    /// Returns the lag of I/O on a handle whose callback begins at `start`. Call it before ``beginCallback(at:)``.
    @inline(__always)
    mutating func ioLag(of handle: UnsafeRawPointer, start: UInt64) -> DispatchLag {
        polls.lag(of: handle, start: start, previous: last)
    }

    @inline(__always)
    private mutating func change(to next: LoopTimeSums.Part, at now: UInt64) {
        sums.change(from: part, since: last, to: next, at: now)
        part = next
        last = now
    }
}
