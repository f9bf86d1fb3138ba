/// An object with timers for sleeping jobs: a loop, or the pool of jobs that several loops run.
protocol TimerHost: AnyObject {
    /// The number of this host in the tickets of tasks that sleep here.
    var ticketNumber: UInt32 { get }
    func withTimers<Result>(_ body: (inout Timers) -> Result) -> Result
    /// Called when the earliest timer has changed.
    func earliestChanged()
    /// Queues a job that is ready.
    func resume(_ job: Job)
}

extension TimerHost {
    /// Runs `job` at `due`. If the job is one that wakes the running task, that task sleeps until then.
    func sleep(_ job: Job, due: UInt64) {
        let task = JobNames.isWaking(job) ? Job.current : nil
        let number = ticketNumber
        let isFirst = withTimers { timers in
            let (token, isFirst) = timers.start(due: due, .job(job, sleeper: task?.address ?? 0))
            // Marked before the sleep can end.
            task?.mark(SleepTicket(host: number, slot: token.slot))
            return isFirst
        }
        if isFirst { earliestChanged() }
    }

    /// Ends the sleep of a task that resumed early: the job that was to wake it cleans up.
    func endSleep(_ slot: UInt32, of task: UInt, now: UInt64) {
        guard let job = withTimers({ $0.stopSleep(at: slot, of: task) }) else { return }
        job.stamp(now, .any)
        resume(job)
    }
}
