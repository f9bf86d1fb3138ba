/// Attributes the loop's time, stamp by stamp, and derives the lag of what it dispatches. It reads no clock itself.
///
/// At every instant of a run exactly one part is going on, so nothing is counted twice or left out. The sums themselves
/// live with the loop, where other threads may read them.
struct DispatchMeter {
    private(set) var polls: PollTimes
    private var part = LoopTimeSums.Part.outside
    private var isRunning = false
    private var isOn = false
    /// The last stamp.
    private(set) var last: UInt64 = 0
    /// When monitoring began; what came before counts as ready then, unless it carries an instant of its own.
    private(set) var monitoredSince: UInt64
    /// When the poll before the last one's dispatches returned.
    private(set) var iterationStart: UInt64

    init(at now: UInt64) {
        polls = PollTimes(at: now)
        monitoredSince = now
        iterationStart = now
    }

    var isPolling: Bool {
        @inline(__always) get { part == .poll }
    }

    /// The level rose above `off`.
    mutating func beginMonitoring(at now: UInt64, _ sums: borrowing LoopTimeSums) {
        polls = PollTimes(at: now)
        monitoredSince = now
        isOn = true
        if isRunning { begin(at: now, sums) } else { change(to: .outside, at: now, sums) }
    }

    /// The level is `off` again.
    mutating func endMonitoring(at now: UInt64, _ sums: borrowing LoopTimeSums) {
        end(at: now, sums)
        isOn = false
    }

    /// The loop runs (again): what lies between two runs belongs to no part.
    mutating func resume(at now: UInt64, _ sums: borrowing LoopTimeSums) {
        isRunning = true
        if isOn { begin(at: now, sums) }
    }

    /// The run ends.
    mutating func pause(at now: UInt64, _ sums: borrowing LoopTimeSums) {
        isRunning = false
        if isOn { end(at: now, sums) }
    }

    private mutating func begin(at now: UInt64, _ sums: borrowing LoopTimeSums) {
        beginIteration(at: now, sums)
        change(to: .overhead, at: now, sums)
    }

    private mutating func end(at now: UInt64, _ sums: borrowing LoopTimeSums) {
        change(to: .outside, at: now, sums)
        sums.setIteration(0)
    }

    @inline(__always)
    mutating func enterPoll(
        at now: UInt64,
        isFlushing: Bool,
        mayRepeat: Bool,
        work: (Bool) -> ThreadWork?,
        _ sums: borrowing LoopTimeSums
    ) {
        polls.enter(at: now, isFlushing: isFlushing, mayRepeat: mayRepeat, work: work)
        sums.setIteration(0)
        change(to: .poll, at: now, sums)
    }

    /// The poll returned at `now`, the first stamp after it: how long it had waited. A change to the next part follows.
    @inline(__always)
    mutating func leavePoll(at now: UInt64, work: (Bool) -> ThreadWork?, _ sums: borrowing LoopTimeSums) -> UInt64 {
        let waited = now &- last
        polls.leave(at: now, waited: waited, work: work)
        beginIteration(at: now, sums)
        return waited
    }

    @inline(__always)
    private mutating func beginIteration(at now: UInt64, _ sums: borrowing LoopTimeSums) {
        iterationStart = now
        sums.setIteration(now)
    }

    /// The loop is in its own code.
    @inline(__always)
    mutating func stamp(at now: UInt64, _ sums: borrowing LoopTimeSums) { change(to: .overhead, at: now, sums) }

    /// The user's code begins.
    @inline(__always)
    mutating func beginCallback(at now: UInt64, _ sums: borrowing LoopTimeSums) { change(to: .callbacks, at: now, sums) }

    /// The user's code that began at `start` returned, to a monitor or not: how long it ran.
    @inline(__always)
    mutating func endCallback(
        startedAt start: UInt64,
        at now: UInt64,
        isMonitorNext: Bool,
        _ sums: borrowing LoopTimeSums
    ) -> UInt64 {
        change(to: isMonitorNext ? .monitor : .overhead, at: now, sums)
        return now &- start
    }

    /// The lag of I/O on a handle, whose callback started at `start`; `previous` was the last stamp before that.
    @inline(__always)
    mutating func ioLag(of handle: UnsafeRawPointer, start: UInt64, previous: UInt64) -> DispatchLag {
        polls.lag(of: handle, start: start, previous: previous)
    }

    @inline(__always)
    private mutating func change(to next: LoopTimeSums.Part, at now: UInt64, _ sums: borrowing LoopTimeSums) {
        sums.change(from: part, since: last, to: next, at: now)
        part = next
        last = now
    }
}
