/// Attributes the loop's time, stamp by stamp, and derives the lag of what it dispatches. It reads no clock itself.
///
/// The time since the last stamp goes to the part that the next stamp ends, so nothing is counted twice or left out.
/// The sums themselves live with the loop, where other threads may read them.
struct DispatchMeter {
    private(set) var polls: PollTimes
    private(set) var isPolling = false
    /// Everything before this instant is attributed.
    private(set) var last: UInt64
    /// When the monitor was set; what came before counts as ready then, unless it carries an instant of its own.
    private(set) var monitoredSince: UInt64

    init(at now: UInt64) {
        polls = PollTimes(at: now)
        last = now
        monitoredSince = now
    }

    /// A monitor was set where there was none.
    mutating func beginMonitoring(at now: UInt64) {
        polls = PollTimes(at: now)
        isPolling = false
        last = now
        monitoredSince = now
    }

    /// The loop runs (again): what lies between two runs belongs to no part.
    mutating func resume(at now: UInt64) { last = now }

    @inline(__always)
    mutating func enterPoll(at now: UInt64, _ sums: borrowing LoopTimeSums) {
        sums.overhead.add(now &- last)
        polls.enter(at: now)
        isPolling = true
        last = now
    }

    /// Libuv's or the library's own code ends here, and with it the poll, if this is the first stamp after one.
    @inline(__always)
    mutating func leaveLoopCode(at now: UInt64, _ sums: borrowing LoopTimeSums) {
        if isPolling {
            let waited = now &- last
            sums.poll.add(waited)
            polls.leave(at: now, waited: waited)
            isPolling = false
        } else {
            sums.overhead.add(now &- last)
        }
        last = now
    }

    /// The user's code that began at `start` returned: how long it ran.
    @inline(__always)
    mutating func endCallback(startedAt start: UInt64, at now: UInt64, _ sums: borrowing LoopTimeSums) -> UInt64 {
        let wall = now &- start
        sums.callbacks.add(wall)
        last = now
        return wall
    }

    @inline(__always)
    mutating func endMonitor(at now: UInt64, _ sums: borrowing LoopTimeSums) {
        sums.monitor.add(now &- last)
        last = now
    }
}
