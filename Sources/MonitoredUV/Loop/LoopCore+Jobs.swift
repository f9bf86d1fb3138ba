import CLibUV

extension LoopCore {
    /// The most jobs that run in a drain, of which there are two between two polls of I/O, however many jobs there are and
    /// however often a task yields.
    static let jobsPerDrain = 64

    /// Any thread: readies a job for a queue that is no loop's own.
    static func stampForPool(_ job: Job, isMonitored: Bool) {
        if let ticket = job.takeSleepMark() { wake(ticket, sleeper: job) }
        job.stamp(isMonitored ? readyNow() : 0, .any)
    }

    /// The instant from which work queued now counts as ready. Any thread.
    static func readyNow() -> UInt64 {
        let wakingSince = CurrentLoop.loop?.core.sleeping.wakingSince ?? 0
        return wakingSince != 0 ? wakingSince : MonotonicClock.read()
    }

    /// Queues a job of this thread's.
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

    /// From now on the loop runs jobs of `pool` as well.
    func join(_ pool: JobPool?) {
        jobs.pool = pool
        activity.hasDrain = activity.isSpinning || pool != nil
    }

    /// An operation of a task may have completed at once: whether the task is to give way now.
    var isTurnOver: Bool { jobs.budget.isSpent(now: clock.now) }

    /// Loop thread: puts a job that is stamped behind the others.
    @inline(__always)
    func append(_ job: Job) {
        jobs.queue.append(job)
        if !activity.isSpinning { startIdle() }
    }

    /// Runs as many jobs as may run before the next poll; `false` if there was none.
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
            // Nor does the next poll wait for others like it.
            if currentRun.isStopping || jobs.budget.wasSpent { break }
        }
        return ran > 0
    }

    /// The loop's own jobs and the pool's take turns.
    @inline(__always)
    private func nextJob(_ number: Int) -> Job? {
        guard let pool = jobs.pool else { return jobs.queue.removeFirst() }
        return number & 1 == 0 ? jobs.queue.removeFirst() ?? pool.take() : pool.take() ?? jobs.queue.removeFirst()
    }

    /// Jobs are run by the route that they came: any other costs the runtime another turn, or loses the isolation.
    @inline(__always)
    private func run(_ job: Job, _ serial: UnownedSerialExecutor, _ task: UnownedTaskExecutor) {
        jobs.budget.begin()
        // A name that has to be looked up takes its time, which is not the job's.
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
