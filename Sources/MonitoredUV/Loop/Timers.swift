/// Work that a loop performs at a given time.
enum TimedWork {
    case once(CallbackName, () -> Void)
    case repeating(RepeatingCallback)
    /// A job that waits, and the address of the task that sleeps until it runs; 0 if there is none.
    case job(Job, sleeper: UInt)
    /// Resumes a task, which is not a dispatch.
    case wake(() -> Void)

    var sleeper: UInt {
        if case .job(_, let sleeper) = self { sleeper } else { 0 }
    }
}

/// A repeating callback.
final class RepeatingCallback {
    let name: CallbackName
    let interval: UInt64
    let body: (TimerToken) -> Void
    /// Set right after the start.
    var token: TimerToken?

    init(_ name: CallbackName, _ interval: UInt64, _ body: @escaping (TimerToken) -> Void) {
        self.name = name
        self.interval = interval
        self.body = body
    }
}

/// The timers of a loop or of a pool, and the alarm that ends the wait for the earliest.
struct Timers: ~Copyable {
    private var wheel: TimerWheel<TimedWork>
    /// The time at which ``advance(to:)`` will be called.
    private var alarm = UInt64.max

    init(now: UInt64) { wheel = TimerWheel(now: now) }

    var count: Int {
        @inline(__always) get { wheel.count }
    }

    /// Starts a timer. `isFirst` is `true` if the alarm has to be set to an earlier time.
    @inline(__always)
    mutating func start(
        due: UInt64,
        atOnce: Bool = false,
        _ work: consuming TimedWork
    ) -> (token: TimerToken, isFirst: Bool) {
        let token = wheel.start(due: due, atOnce: atOnce, work)
        return (token, atOnce ? lowerAlarm(to: 0) : lowerAlarm(to: TimerWheel<TimedWork>.ringTime(due)))
    }

    /// Moves a timer to another time; returns `nil` if it is no longer pending.
    @inline(__always)
    mutating func move(_ token: TimerToken, due: UInt64) -> (token: TimerToken, isFirst: Bool)? {
        guard wheel.move(token, due: due) else { return nil }
        return (token, lowerAlarm(to: TimerWheel<TimedWork>.ringTime(due)))
    }

    @inline(__always)
    private mutating func lowerAlarm(to time: UInt64) -> Bool {
        if time >= alarm { return false }
        alarm = time
        return true
    }

    /// Stops a timer and returns its work.
    @inline(__always)
    mutating func stop(_ token: TimerToken) -> TimedWork? { wheel.stop(token) }

    func due(_ token: TimerToken) -> UInt64? { wheel.due(token) }

    /// Removes and returns the job that ends the sleep of `task`; `nil` if that sleep is over.
    mutating func stopSleep(at slot: UInt32, of task: UInt) -> Job? {
        guard let token = wheel.token(at: slot, where: { $0.sleeper == task }) else { return nil }
        if case .job(let job, _)? = wheel.stop(token) { return job }
        return nil
    }

    /// The sleeping tasks, as far as they are known.
    var sleepers: [UInt] {
        var sleepers: [UInt] = []
        wheel.forEach { if $1.sleeper != 0 { sleepers.append($1.sleeper) } }
        return sleepers
    }

    /// The number of timers of jobs.
    var jobCount: Int {
        var count = 0
        wheel.forEach { _, work in if case .job = work { count += 1 } }
        return count
    }

    /// Removes all timers of jobs, or all others.
    mutating func stopAll(ofJobs: Bool) -> [TimedWork] {
        var tokens: [TimerToken] = []
        wheel.forEach { token, work in
            var isJob = false
            if case .job = work { isJob = true }
            if isJob == ofJobs { tokens.append(token) }
        }
        return tokens.compactMap { wheel.stop($0) }
    }

    /// Collects the timers that are due. The alarm is not set again before ``setAlarm()``.
    mutating func advance(to now: UInt64) {
        alarm = 0
        wheel.advance(to: now)
    }

    /// Removes the work of one due timer, and returns its due time. A repeating timer moves on to the next of its times
    /// that has not passed at `now`.
    @inline(__always)
    mutating func takeDue(now: UInt64, _ work: inout TimedWork?) -> UInt64? {
        guard let (token, due) = wheel.firstReady else { return nil }
        if case .repeating(let callback)? = wheel.payload(token) {
            let next = due + ((now - min(now, due)) / callback.interval + 1) * callback.interval
            _ = wheel.move(token, due: next)
            work = .repeating(callback)
        } else {
            work = wheel.stop(token)
        }
        return due
    }

    /// Returns the time to which the alarm must be set now: 0 if timers that are due are left, `.max` if there are
    /// none.
    mutating func setAlarm() -> UInt64 {
        alarm = wheel.wakeTime() ?? .max
        return alarm
    }
}
