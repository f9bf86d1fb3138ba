import CMonitoredUV

extension LoopCore {
    /// Ends the sleep of `sleeper`, which has resumed: the job that was to wake it only has to clean up, and does so
    /// now. Any thread.
    static func wake(_ ticket: SleepTicket, sleeper: Job) {
        let task = sleeper.address
        if ticket.host == JobPool.number {
            SleepDirectory.pool?.endSleep(ticket.slot, of: task, now: MonotonicClock.read())
        } else if let core = CurrentLoop.loop?.core, ticket.host == core.sleeping.number?.number {
            core.endSleep(ticket.slot, of: task)
        } else {
            _ = SleepDirectory.loop(ticket.host)?.post(CallSite(named: "Task.sleep")) {
                CurrentLoop.loop?.core.endSleep(ticket.slot, of: task)
            }
        }
    }

    private func endSleep(_ slot: UInt32, of task: UInt) {
        endSleep(slot, of: task, now: recorder.readyNow)
        if timers.count == 0 { setAlarm() }
    }

    /// Cancels the tasks that sleep on the loop, which wakes them, because the loop is ending.
    func endSleeps() {
        if timers.count == 0 { return }
        for task in timers.sleepers { muv_task_cancel(UnsafeRawPointer(bitPattern: task)) }
        // Callbacks that canceled tasks have scheduled since end in the next turn.
        let left = withTimers { $0.stopAll(ofJobs: true) }
        if left.isEmpty { return }
        warn(
            "UVEventLoop '\(name.text)' was shut down while \(left.count) task\(left.count == 1 ? "" : "s") slept on it, which "
                + "will not resume. Cancel the tasks of a loop, or wait for them, before you shut it down."
        )
        setAlarm()
    }

    /// Drops the work of a loop that is ending while its tasks or callbacks are not.
    func dropWork() {
        warn(
            "UVEventLoop '\(name.text)' was shut down while tasks or callbacks on it kept scheduling new work. That work was "
                + "dropped, and its tasks will not resume. Let tasks end when they are canceled, and callbacks stop posting."
        )
        dropPosted()
    }
}
