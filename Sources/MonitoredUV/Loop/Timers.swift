/// Work that a loop does when its time comes.
enum TimedWork {
    case once(CallbackName, () -> Void)
    case repeating(RepeatingCallback)
    /// A job that waits, and the address of the task that sleeps until it runs; 0 if there is none.
    case job(Job, sleeper: UInt)
    /// Lets a task go on, which is no dispatch.
    case wake(() -> Void)

    var sleeper: UInt {
        if case .job(_, let sleeper) = self { sleeper } else { 0 }
    }
}

/// A callback that comes again and again.
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
    /// When ``advance(to:)`` will be called.
    private var alarm = UInt64.max

    init(now: UInt64) { wheel = TimerWheel(now: now) }

    var count: Int {
        @inline(__always) get { wheel.count }
    }

    /// Starts a timer. `isFirst` tells that the alarm has to be set to an earlier time.
    @inline(__always)
    mutating func start(
        due: UInt64,
        atOnce: Bool = false,
        _ work: consuming TimedWork
    ) -> (token: TimerToken, isFirst: Bool) {
        let token = wheel.start(due: due, atOnce: atOnce, work)
        return (token, atOnce ? lowerAlarm(to: 0) : lowerAlarm(to: TimerWheel<TimedWork>.ringTime(due)))
    }

    /// Gives a timer another time; `nil` if it is over.
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

    /// Ends a timer, and hands out what it was for.
    @inline(__always)
    mutating func stop(_ token: TimerToken) -> TimedWork? { wheel.stop(token) }

    func due(_ token: TimerToken) -> UInt64? { wheel.due(token) }

    /// The job with which the sleep of `task` ends, which is taken out; `nil` if that sleep is over.
    mutating func stopSleep(at slot: UInt32, of task: UInt) -> Job? {
        guard let token = wheel.token(at: slot, where: { $0.sleeper == task }) else { return nil }
        if case .job(let job, _)? = wheel.stop(token) { return job }
        return nil
    }

    /// The tasks that sleep, as far as they are known.
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

    /// Takes out all timers of jobs, or all others.
    mutating func stopAll(ofJobs: Bool) -> [TimedWork] {
        var tokens: [TimerToken] = []
        wheel.forEach { token, work in
            var isJob = false
            if case .job = work { isJob = true }
            if isJob == ofJobs { tokens.append(token) }
        }
        return tokens.compactMap { wheel.stop($0) }
    }

    /// Collects what is due. Nothing sets the alarm again before ``setAlarm()``.
    mutating func advance(to now: UInt64) {
        alarm = 0
        wheel.advance(to: now)
    }

    /// Takes out the work of one timer that is due, and returns its due time. A repeating timer goes on to the next of its
    /// times that has not passed at `now`.
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

    /// The time for which the alarm has to be set now: 0 if more is due than was taken, `.max` for none.
    mutating func setAlarm() -> UInt64 {
        alarm = wheel.wakeTime() ?? .max
        return alarm
    }
}
