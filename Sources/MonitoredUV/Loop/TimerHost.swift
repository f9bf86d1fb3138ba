/// Keeps the timers of jobs that sleep: a loop, or the pool of jobs that several loops run.
protocol TimerHost: AnyObject {
    /// In the tickets of those who sleep here.
    var ticketNumber: UInt32 { get }
    func withTimers<Result>(_ body: (inout Timers) -> Result) -> Result
    /// The earliest timer is another one.
    func earliestChanged()
    /// Queues a job that is ready.
    func resume(_ job: Job)
}

extension TimerHost {
    /// Runs `job` at `due`. The task that is running sleeps until then, if the job is its waking.
    func sleep(_ job: Job, due: UInt64) {
        let task = JobNames.isWaking(job) ? Job.current : nil
        let number = ticketNumber
        let isFirst = withTimers { timers in
            let (token, isFirst) = timers.start(due: due, .job(job, sleeper: task?.address ?? 0))
            // Marked before it can end.
            task?.mark(SleepTicket(host: number, slot: token.slot))
            return isFirst
        }
        if isFirst { earliestChanged() }
    }

    /// A task that slept here went on before its time: what was to wake it cleans up.
    func endSleep(_ slot: UInt32, of task: UInt, now: UInt64) {
        guard let job = withTimers({ $0.stopSleep(at: slot, of: task) }) else { return }
        job.stamp(now, .any)
        resume(job)
    }
}
