/// Attributes the loop's time, stamp by stamp, and derives the lag of what it dispatches. It reads no clock itself.
///
/// At every instant of a run exactly one part is going on, so nothing is counted twice or left out. The sums themselves
/// live with the loop, where other threads may read them.
struct DispatchMeter {
    private enum Part { case none, callbacks, monitor, poll, overhead }

    private(set) var polls: PollTimes
    private var part = Part.none
    private var isRunning = false
    private var isOn = false
    /// The last stamp.
    private(set) var last: UInt64
    /// When monitoring began; what came before counts as ready then, unless it carries an instant of its own.
    private(set) var monitoredSince: UInt64
    /// When the poll before the last one's dispatches returned.
    private(set) var iterationStart: UInt64

    init(at now: UInt64) {
        polls = PollTimes(at: now)
        last = now
        monitoredSince = now
        iterationStart = now
    }

    var isPolling: Bool {
        @inline(__always) get { part == .poll }
    }

    /// The level rose above `off`.
    mutating func beginMonitoring(at now: UInt64, _ sums: borrowing LoopTimeSums) {
        polls = PollTimes(at: now)
        last = now
        monitoredSince = now
        iterationStart = now
        isOn = true
        if isRunning { change(to: .overhead, at: now, sums) }
    }

    /// The level is `off` again.
    mutating func endMonitoring(at now: UInt64, _ sums: borrowing LoopTimeSums) {
        change(to: .none, at: now, sums)
        isOn = false
    }

    /// The loop runs (again): what lies between two runs belongs to no part.
    mutating func resume(at now: UInt64, _ sums: borrowing LoopTimeSums) {
        isRunning = true
        iterationStart = now
        if isOn { change(to: .overhead, at: now, sums) }
    }

    /// The run ends.
    mutating func pause(at now: UInt64, _ sums: borrowing LoopTimeSums) {
        isRunning = false
        if isOn { change(to: .none, at: now, sums) }
    }

    @inline(__always)
    mutating func enterPoll(at now: UInt64, _ sums: borrowing LoopTimeSums) {
        polls.enter(at: now)
        change(to: .poll, at: now, sums)
    }

    /// The first stamp after a poll, if no callback was.
    @inline(__always)
    mutating func leavePoll(at now: UInt64, _ sums: borrowing LoopTimeSums) {
        endPoll(at: now)
        change(to: .overhead, at: now, sums)
    }

    /// The loop is in its own code, and a batch of dispatches follows.
    @inline(__always)
    mutating func stamp(at now: UInt64) { last = now }

    /// The user's code begins, and with it the poll ends, if this is the first stamp after one.
    @inline(__always)
    mutating func beginCallback(at now: UInt64, _ sums: borrowing LoopTimeSums) {
        if part == .poll { endPoll(at: now) }
        change(to: .callbacks, at: now, sums)
    }

    @inline(__always)
    private mutating func endPoll(at now: UInt64) {
        polls.leave(at: now, waited: now &- last)
        iterationStart = now
    }

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

    @inline(__always)
    mutating func endMonitor(at now: UInt64, _ sums: borrowing LoopTimeSums) { change(to: .overhead, at: now, sums) }

    @inline(__always)
    private mutating func change(to next: Part, at now: UInt64, _ sums: borrowing LoopTimeSums) {
        // In the order of how often.
        if part == .overhead {
            sums.overhead.end(at: now)
        } else if part == .callbacks {
            sums.callbacks.end(at: now)
        } else if part == .poll {
            sums.poll.end(at: now)
        } else if part == .monitor {
            sums.monitor.end(at: now)
        }
        switch next {
        case .none: break
        case .callbacks: sums.callbacks.begin(at: now)
        case .monitor: sums.monitor.begin(at: now)
        case .poll: sums.poll.begin(at: now)
        case .overhead: sums.overhead.begin(at: now)
        }
        part = next
        last = now
    }
}
