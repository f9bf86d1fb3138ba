import CLibUV

extension LoopCore: TimerHost {
    var ticketNumber: UInt32 {
        if let number = sleeping.number { return number.number }
        let number = SleepDirectory.Registration(shared)
        sleeping.number = number
        return number.number
    }

    @inline(__always)
    func withTimers<Result>(_ body: (inout Timers) -> Result) -> Result {
        defer { vitals.timers.set(timers.count) }
        return body(&timers)
    }

    func earliestChanged() { setAlarm() }

    func resume(_ job: Job) { append(job) }

    // MARK: Start and stop

    /// Performs `work` after `delay`, in nanoseconds; with a delay of zero, it is due at once or, if scheduled from a
    /// timer, in the next iteration.
    @inline(__always)
    func schedule(after delay: UInt64, _ work: consuming TimedWork) -> TimerToken {
        let atOnce = delay == 0 && !currentRun.isInTimer
        let (token, isFirst) = timers.start(due: clock.now() + delay, atOnce: atOnce, work)
        vitals.timers.set(timers.count)
        if isFirst { setAlarm() }
        return token
    }

    /// Moves pending work to another time; returns `false` if it is no longer pending.
    @inline(__always)
    func reschedule(_ token: TimerToken, after delay: UInt64) -> Bool {
        guard let (_, isFirst) = timers.move(token, due: clock.now() + delay) else { return false }
        if isFirst { setAlarm() }
        return true
    }

    /// Cancels a timer; the returned work may hold objects of the program.
    @inline(__always)
    func unschedule(_ token: TimerToken) -> TimedWork? {
        guard let work = withTimers({ $0.stop(token) }) else { return nil }
        if timers.count == 0 { setAlarm() }
        return work
    }

    /// Releases all scheduled callbacks, including those that are scheduled as a result.
    func dropScheduled() {
        while true {
            let works = withTimers { $0.stopAll(ofJobs: false) }
            if works.isEmpty { break }
        }
        setAlarm()
    }

    // MARK: The alarm

    /// Sets the loop's one libuv timer to the earliest time at which anything is due, here or in the pool.
    func setAlarm() {
        let due = min(timers.setAlarm(), alarm.pool?.withTimers { $0.setAlarm() } ?? .max)
        alarm.isBehind = due == 0
        if due == .max {
            if alarm.isActive { UVError.require(uv_timer_stop(internalHandles.timer), "uv_timer_stop") }
            return alarmIsActive(false)
        }
        let now = uv_now(uv)
        // Within a timer, never due at once: libuv would never finish running timers.
        let timeout = max(due.roundedUpToMilliseconds, currentRun.isInTimer ? now + 1 : now) - now
        UVError.require(
            uv_timer_start(internalHandles.timer, { withCore(of: $0) { $0.alarmRang() } }, timeout, 0),
            "uv_timer_start"
        )
        alarmIsActive(true)
    }

    private func alarmIsActive(_ isActive: Bool) {
        if alarm.isActive != isActive { activity.internalActiveCount += isActive ? 1 : -1 }
        alarm.isActive = isActive
    }

    /// The maximum number of the loop's timers, and of the pool's, that fire in one iteration; the others fire in the
    /// next ones.
    private static let timersPerIteration = 1024

    private func alarmRang() {
        alarmIsActive(false)
        currentRun.isInTimer = true
        let now = clock.now()
        var hasFired = fire(from: self, now: now)
        if let pool = alarm.pool, fire(from: pool, now: now) { hasFired = true }
        if hasFired {
            currentRun.ranBeforePoll = true
            currentRun.isTimeStale = true
        } else {
            currentRun.rangForNothing = true
        }
        setAlarm()
        currentRun.isInTimer = false
    }

    @inline(__always)
    private func fire(from host: some TimerHost, now: UInt64) -> Bool {
        host.withTimers { $0.advance(to: now) }
        var work: TimedWork?
        var fired = 0
        while fired < Self.timersPerIteration, let due = host.withTimers({ $0.takeDue(now: now, &work) }) {
            fired += 1
            run(&work, due, of: host)
        }
        return fired > 0
    }

    /// Runs `work`, and releases what it holds within its dispatch.
    @inline(__always)
    private func run(_ work: inout TimedWork?, _ due: UInt64, of host: some TimerHost) {
        switch work.take()! {
        case .once(let name, let body):
            var body = Optional(consume body)
            dispatch(.timer, name, .exact(due, .timer)) { body.take()?() }
        case .repeating(let callback):
            var callback = Optional(consume callback)
            dispatch(.timer, callback!.name, .exact(due, .timer)) {
                callback!.body(callback!.token!)
                callback = nil
            }
        case .job(let job, let sleeper):
            // The task resumes, wherever that is. The job that wakes it is not a dispatch.
            if sleeper != 0 { return wakeTask(due) { job.unowned.runSynchronously(on: Job.anyExecutor) } }
            job.stamp(due, .any)
            host.resume(job)
        case .wake(let body):
            wakeTask(due, body)
        }
    }

    /// Runs `body`, which resumes a task that has been ready since `due`.
    @inline(__always)
    private func wakeTask(_ due: UInt64, _ body: () -> Void) {
        recorder.stampLoopCode()
        sleeping.wakingSince = due
        body()
        sleeping.wakingSince = 0
        dispatchDeferredReleases()  // of an executor that runs what it is given at once
    }
}

extension UInt64 {
    var roundedUpToMilliseconds: UInt64 { self / 1_000_000 + (self % 1_000_000 == 0 ? 0 : 1) }
}
