/// A loop is an executor of Swift Concurrency: for tasks that prefer it, and for actors that are pinned to it.
///
/// ```swift
/// Task(executorPreference: loop) { … }          // the task and its children run on the loop
/// try await withTaskExecutorPreference(loop) { … }
///
/// actor Sessions {
///     nonisolated let loop: UVEventLoop
///     nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
/// }
/// ```
///
/// Callbacks of the loop may use `assumeIsolated` of such an actor. Each job, which is what a task does until it waits,
/// is a dispatch with a lag from when it became ready, a wall time and a name. At most 128 of them run between two
/// polls of I/O. Jobs that wait keep a run of the loop going; a task that waits for something else than the loop does
/// not.
///
/// Let the tasks of a loop end before you close it. A task that resumes later continues on Swift's own threads, and actors
/// that are pinned to the loop run there one at a time; the first time, a warning is printed.
extension UVEventLoop: SerialExecutor, TaskExecutor {
    /// For actors that are pinned to the loop; the runtime calls it.
    @_implements(SerialExecutor,enqueue(_:))
    public func enqueueSerial(_ job: consuming ExecutorJob) {
        enqueue(Job(job), shared.isOfProcess.load(ordering: .relaxed) ? .main : .serial)
    }

    /// For tasks that prefer the loop; the runtime calls it.
    @_implements(TaskExecutor,enqueue(_:))
    public func enqueueTask(_ job: consuming ExecutorJob) { enqueue(Job(job), .task) }

    /// Runs a job on the loop, as one of a task that prefers the loop. Any thread.
    public func enqueue(_ job: consuming ExecutorJob) { enqueue(Job(job), .task) }

    /// Traps unless this is the loop's thread, or after a close, the queue that its actors have moved to.
    public func checkIsolated() { if !shared.isolatesHere { shared.preconditionOnOwnThread("an actor of \(self)") } }

    /// Whether this is the loop's thread, or after a close, the queue that its actors have moved to.
    public func isIsolatingCurrentContext() -> Bool? { shared.isolatesHere }
}

extension UVEventLoop {
    /// Any thread.
    @inline(__always)
    func enqueue(_ job: Job, _ route: Job.Route) {
        if let ticket = job.takeSleepMark() { LoopCore.wake(ticket, sleeper: job) }
        if shared.isRunningHere { core.enqueue(job, route) } else { enqueueRemotely(job, route) }
    }

    @inline(never)
    private func enqueueRemotely(_ job: Job, _ route: Job.Route) {
        job.stamp(shared.isMonitored ? LoopCore.readyNow() : 0, route)
        if !shared.push(job) { shared.moveJob(job, route, of: UnownedSerialExecutor(ordinary: self)) }
    }

    /// Any thread: runs `job` after a `delay`.
    func enqueue(_ job: Job, after delay: UInt64) {
        let due = MonotonicClock.read() + delay
        if shared.isRunningHere { return core.sleep(job, due: due) }
        let isQueued = shared.post(CallSite(named: "Task.sleep")) { CurrentLoop.loop?.core.sleep(job, due: due) }
        if !isQueued { shared.moveJob(job, after: delay) }
    }
}
