import CLibUV

extension LoopCore {
    /// The maximum number of jobs per drain, regardless of how many are waiting and how often a task yields. There are
    /// two drains between two polls of I/O.
    static let jobsPerDrain = 64

    /// Prepares a job for a queue that belongs to no single loop. Any thread.
    static func stampForPool(_ job: Job, isMonitored: Bool) {
        if let ticket = job.takeSleepMark() { wake(ticket, sleeper: job) }
        job.stamp(isMonitored ? readyNow() : 0, .any)
    }

    /// Returns the instant from which work queued now counts as ready. Any thread.
    static func readyNow() -> UInt64 {
        let wakingSince = CurrentLoop.loop?.core.sleeping.wakingSince ?? 0
        return wakingSince != 0 ? wakingSince : MonotonicClock.read()
    }

    /// Queues a job from the loop's own thread.
    @inline(__always)
    func enqueue(_ job: Job, _ route: Job.Route) {
        let wakingSince = sleeping.wakingSince
        job.stamp(wakingSince != 0 && recorder.isOn ? wakingSince : recorder.readyNow, route)
        append(job)
        if recorder.isOn {
            vitals.localJobs.add(1)
            publishQueueLength()
        }
    }

    /// Makes the loop also run jobs of `pool` from now on.
    func join(_ pool: JobPool?) {
        jobs.pool = pool
        activity.hasDrain = activity.isSpinning || pool != nil
    }

    /// Whether the running task should yield, although its operation may have completed at once.
    var isTurnOver: Bool { jobs.budget.isSpent(now: clock.now) }

    /// Appends a stamped job to the queue. Loop thread only.
    @inline(__always)
    func append(_ job: Job) {
        jobs.queue.append(job)
        if !activity.isSpinning { startIdle() }
    }

    /// Runs as many jobs as may run before the next poll; returns `false` if there were none.
    @inline(__always)
    func drainJobs() -> Bool {
        if jobs.queue.isEmpty && jobs.pool == nil { return false }
        return runJobs()
    }

    @inline(never)
    private func runJobs() -> Bool {
        guard let publicLoop else { return false }
        var ran = 0
        while ran < Self.jobsPerDrain, let job = nextJob(ran) {
            run(job, publicLoop.serial, publicLoop.task)
            ran += 1
            // Nor should the next poll wait for more jobs like this one.
            if currentRun.isStopping || jobs.budget.wasSpent { break }
        }
        return ran > 0
    }

    /// Returns the next job. The loop's own jobs and the pool's take turns.
    @inline(__always)
    private func nextJob(_ number: Int) -> Job? {
        guard let pool = jobs.pool else { return jobs.queue.removeFirst() }
        return number & 1 == 0 ? jobs.queue.removeFirst() ?? pool.take() : pool.take() ?? jobs.queue.removeFirst()
    }

    /// Runs a job by the route on which it came: any other costs the runtime another turn, or loses the isolation.
    @inline(__always)
    private func run(_ job: Job, _ serial: UnownedSerialExecutor, _ task: UnownedTaskExecutor) {
        jobs.budget.begin()
        // Looking up a name takes time, which does not belong to the job.
        guard let name = recorder.isOn ? jobs.names.name(of: job, onLookup: recorder.breakBatch) : CallbackName.unnamed
        else {
            job.unowned.runSynchronously(on: Job.anyExecutor)  // no dispatch
            return recorder.breakBatch()
        }
        if recorder.isOn { publishQueueLength() }
        dispatch(.job, name, .exact(recorder.ready(since: job.ready), .job), isNext: true) {
            switch job.route {
            case .task: job.unowned.runSynchronously(on: task)
            case .serial: job.unowned.runSynchronously(isolatedTo: serial, taskExecutor: task)
            case .any: job.unowned.runSynchronously(on: Job.anyExecutor)
            case .main: job.unowned.runSynchronously(on: serial)
            }
        }
    }
}
