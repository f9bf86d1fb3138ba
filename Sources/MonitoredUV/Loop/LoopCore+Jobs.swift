internal import CLibUV

extension LoopCore {
    /// So many jobs run in a drain, of which there are two between two polls of I/O, however many jobs there are and
    /// however often a task yields.
    static let jobsPerDrain = 64

    /// Any thread: readies a job for a queue that is no loop's own.
    static func prepare(_ job: Job, isMonitored: Bool) {
        if let ticket = job.takeSleepMark() { wake(ticket, sleeper: job) }
        job.stamp(isMonitored ? readyNow() : 0, .any)
    }

    /// Any thread.
    @inline(__always)
    func enqueue(_ job: Job, _ route: Job.Route) {
        if let ticket = job.takeSleepMark() { Self.wake(ticket, sleeper: job) }
        if isRunningHere {
            job.stamp(metrics == nil ? 0 : wakingSince != 0 ? wakingSince : clock.now(), route)
            queue(job)
            if metrics != nil {
                vitals.localJobs.add(1)
                publishQueueLength()
            }
        } else {
            enqueueRemotely(job, route)
        }
    }

    @inline(never)
    private func enqueueRemotely(_ job: Job, _ route: Job.Route) {
        job.stamp(isMonitoredElsewhere ? Self.readyNow() : 0, route)
        switch remote.push(job) {
        case .queued: break
        case .queuedFirst: wakeUp.send()
        case .refused: moveJob(job, route)
        }
    }

    /// Any thread: since when what is queued now has been ready.
    private static func readyNow() -> UInt64 {
        let wakingSince = CurrentLoop.loop?.core.wakingSince ?? 0
        return wakingSince != 0 ? wakingSince : MonotonicClock.read()
    }

    /// An operation of a task may have completed at once: whether the task is to give way now. Any thread.
    var isTurnOver: Bool { isRunningHere && budget.isSpent(now: clock.now) }

    /// Loop thread: puts a job that is stamped behind the others.
    @inline(__always)
    func queue(_ job: Job) {
        jobs.append(job)
        if !isIdleActive { startIdle() }
    }

    /// Runs as many jobs as may run before the next poll; `false` if there was none.
    @inline(__always)
    func drainJobs(_ isStamped: Bool) -> Bool {
        if jobs.isEmpty && pool == nil { return false }
        return runJobs(isStamped)
    }

    @inline(never)
    private func runJobs(_ wasStamped: Bool) -> Bool {
        guard let face else { return false }
        let serial = face._withUnsafeGuaranteedRef { UnownedSerialExecutor(ordinary: $0) }
        let task = face._withUnsafeGuaranteedRef { UnownedTaskExecutor(ordinary: $0) }
        var isStamped = wasStamped
        var ran = 0
        while ran < Self.jobsPerDrain, let job = nextJob(ran) {
            let wasMonitored = metrics != nil
            let isReported = run(job, isStamped, serial, task)
            isStamped = isReported && wasMonitored && metrics != nil
            ran += 1
            // Nor does the next poll wait for others like it.
            if isStopping || budget.wasSpent { break }
        }
        return ran > 0
    }

    /// The loop's own jobs and the pool's take turns.
    @inline(__always)
    private func nextJob(_ number: Int) -> Job? {
        guard let pool else { return jobs.removeFirst() }
        return number & 1 == 0 ? jobs.removeFirst() ?? pool.take() : pool.take() ?? jobs.removeFirst()
    }

    /// Jobs are run by the route that they came: any other costs the runtime another turn, or loses the isolation.
    ///
    /// `false` for one that is no dispatch.
    @inline(__always)
    private func run(
        _ job: Job,
        _ isStamped: Bool,
        _ serial: UnownedSerialExecutor,
        _ task: UnownedTaskExecutor
    ) -> Bool {
        budget.begin()
        guard let name = metrics == nil ? CallbackName.none : jobNames.name(of: job) else {
            job.unowned.runSynchronously(on: Job.anyExecutor)
            return false
        }
        if metrics != nil { publishQueueLength() }
        // A name that had to be looked up took its time, which is not the job's.
        let start = isStamped && !jobNames.wasLookedUp ? meter.last : nil
        let ready = job.ready
        dispatch(.job, name, .exact(ready == 0 ? meter.monitoredSince : ready, .job), startedAt: start) {
            switch job.route {
            case .task: job.unowned.runSynchronously(on: task)
            case .serial: job.unowned.runSynchronously(isolatedTo: serial, taskExecutor: task)
            case .any: job.unowned.runSynchronously(on: Job.anyExecutor)
            case .main: job.unowned.runSynchronously(on: serial)
            }
        }
        return true
    }
}
