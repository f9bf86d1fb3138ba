internal import CLibUV
internal import CMonitoredUV

extension LoopCore {
    /// Loop thread: runs `job` at `due`. The task that is running sleeps until then, if the job is its waking.
    func sleep(_ job: Job, due: UInt64) {
        let task = JobNames.isWaking(job) ? Job.current : nil
        let slot = addSleep(SleepQueue.Sleeper(job: job, task: task?.address ?? 0), due: due)
        if sleeps.number == nil { sleeps.number = SleepDirectory.Number(shared) }
        task?.mark(SleepTicket(loop: sleeps.number!.number, slot: slot))
    }

    /// Any thread: `sleeper` goes on, so what was to wake it has nothing to do but to clean up, and does that now.
    static func wake(_ ticket: SleepTicket, sleeper: Job) {
        let task = sleeper.address
        if ticket.loop == JobPool.number {
            SleepDirectory.pool?.endSleep(ticket.slot, of: task)
        } else if let core = CurrentLoop.loop?.core, ticket.loop == core.sleeps.number?.number {
            core.endSleep(ticket.slot, of: task)
        } else {
            _ = SleepDirectory.loop(ticket.loop)?.post(CallSite(named: "Task.sleep")) {
                CurrentLoop.loop?.core.endSleep(ticket.slot, of: task)
            }
        }
    }

    /// The loop ends: cancels who sleeps on it, which wakes them.
    func endSleeps() {
        if sleeps.queue.count == 0 { return }
        for task in sleeps.queue.tasks { muv_task_cancel(UnsafeRawPointer(bitPattern: task)) }
        if sleeps.queue.count == 0 { return }
        warn("UVEventLoop '\(name.text)' ended while \(sleeps.queue.count) tasks slept on it, which will not wake.")
        sleeps.queue = SleepQueue()
        armSleepTimer()
    }

    /// The loop ends, and what runs on it does not.
    func dropWork() {
        warn(
            "UVEventLoop '\(name.text)' ended while tasks or callbacks on it went on and on, canceled or not; "
                + "they stop here."
        )
        dropPosted()
    }

    private func endSleep(_ slot: UInt32, of task: UInt) {
        guard let job = sleeps.queue.remove(slot, ifOf: task) else { return }
        armSleepTimer()
        job.stamp(recorder.readyNow, .any)
        queue(job)
    }

    private func addSleep(_ sleeper: SleepQueue.Sleeper, due: UInt64) -> UInt32 {
        let slot = sleeps.queue.insert(sleeper, due: due)
        if sleeps.queue.earliest == due { armSleepTimer() }
        return slot
    }

    /// One timer of libuv's for all sleeps, set to the earliest.
    func armSleepTimer() {
        guard let due = earliestSleep else {
            if sleeps.isTimerActive { UVError.require(uv_timer_stop(own.sleep), "uv_timer_stop") }
            return sleepTimerIsActive(false)
        }
        let milliseconds = due.roundedUpToMilliseconds
        let now = uv_now(uv)
        // Never due at once: libuv would not get out of running its timers.
        let timeout = milliseconds > now ? milliseconds - now : 1
        let status = uv_timer_start(own.sleep, { LoopCore.sleepTimerFired($0) }, timeout, 0)
        UVError.require(status, "uv_timer_start")
        sleepTimerIsActive(true)
    }

    private var earliestSleep: UInt64? {
        guard let pooled = sleeps.pool?.earliestSleep else { return sleeps.queue.earliest }
        return min(pooled, sleeps.queue.earliest ?? pooled)
    }

    private func sleepTimerIsActive(_ isActive: Bool) {
        if sleeps.isTimerActive != isActive { activity.own += isActive ? 1 : -1 }
        sleeps.isTimerActive = isActive
    }

    private static func sleepTimerFired(_ timer: UnsafeMutablePointer<uv_timer_t>?) {
        let core = Unmanaged<LoopCore>.fromOpaque(timer!.pointee.data)
        core._withUnsafeGuaranteedRef { $0.wakeDue() }
    }

    /// So many sleeps end in one iteration of the loop; the others in the next ones.
    private static let sleepsPerIteration = 1024

    private func wakeDue() {
        sleepTimerIsActive(false)
        currentRun.ranBeforePoll = true
        let now = clock.now()
        var woken = 0
        while woken < Self.sleepsPerIteration, let (sleeper, due) = sleeps.queue.removeFirst(dueAt: now) {
            woken += 1
            if !wake(sleeper, due: due) {
                sleeper.job.stamp(due, .any)
                queue(sleeper.job)
            }
        }
        while woken < Self.sleepsPerIteration, let pool = sleeps.pool, let (sleeper, due) = pool.takeSleep(dueAt: now) {
            woken += 1
            if !wake(sleeper, due: due) {
                sleeper.job.stamp(due, .any)
                pool.push(sleeper.job)
            }
        }
        armSleepTimer()
    }

    /// Lets the task that sleeps go on, wherever that is: what wakes it is no dispatch, and the task has been ready
    /// since `due`. `false` if nothing is known of a task.
    private func wake(_ sleeper: SleepQueue.Sleeper, due: UInt64) -> Bool {
        if sleeper.task == 0 { return false }
        wakeTask(due) { sleeper.job.unowned.runSynchronously(on: Job.anyExecutor) }
        return true
    }

    /// Runs `body`, which lets a task go on that has been ready since `due`.
    @inline(__always)
    func wakeTask(_ due: UInt64, _ body: () -> Void) {
        recorder.stampLoopCode()
        sleeps.wakingSince = due
        body()
        sleeps.wakingSince = 0
        dispatchRetired()  // of an executor that runs what it is given at once
    }
}

extension UInt64 {
    var roundedUpToMilliseconds: UInt64 { self / 1_000_000 + (self % 1_000_000 == 0 ? 0 : 1) }
}
