/// A loop is an executor of Swift Concurrency: for tasks that prefer it, and for actors that are pinned to it.
///
/// ```swift
/// Task(executorPreference: loop) { … }          // the task and its children run on the loop
/// try await withTaskExecutorPreference(loop) { … }
///
/// actor Sessions {
///     nonisolated let loop: UVEventLoop
///     init(on loop: UVEventLoop) { self.loop = loop }
///     nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
/// }
/// ```
///
/// The loop's callbacks may use `assumeIsolated` of such an actor. Each job, the part of a task between two
/// suspensions, is a dispatch with a name, a wall time, and a lag since it became ready. At most 128 jobs run between
/// two polls of I/O. Waiting jobs keep `run` alive; a task that waits for anything but the loop does not.
///
/// Let the tasks of a loop end before you close it. A task that resumes after that continues on Swift's own threads,
/// where the actors pinned to the loop also run, one at a time; the first time, a warning is printed.
extension UVEventLoop: SerialExecutor, TaskExecutor {
    /// Enqueues a job of an actor that is pinned to the loop. Called by the runtime.
    @_implements(SerialExecutor,enqueue(_:))
    public func enqueueSerial(_ job: consuming ExecutorJob) {
        enqueue(Job(job), shared.isOfProcess.load(ordering: .relaxed) ? .main : .serial)
    }

    /// Enqueues a job of a task that prefers the loop. Called by the runtime.
    @_implements(TaskExecutor,enqueue(_:))
    public func enqueueTask(_ job: consuming ExecutorJob) { enqueue(Job(job), .task) }

    /// Runs a job on the loop as if it belonged to a task that prefers the loop. Any thread.
    public func enqueue(_ job: consuming ExecutorJob) { enqueue(Job(job), .task) }

    /// Traps unless called on the loop's thread or, after a close, on the queue that its actors have moved to.
    public func checkIsolated() { if !shared.isolatesHere { shared.preconditionOnOwnThread("an actor of \(self)") } }

    /// Returns whether this is the loop's thread or, after a close, the queue that its actors have moved to.
    public func isIsolatingCurrentContext() -> Bool? { shared.isolatesHere }
}

extension UVEventLoop {
    /// Queues `job`, after ending the sleep it wakes from, if any. Any thread.
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

    /// Runs `job` after `delay`, in nanoseconds. Any thread.
    func enqueue(_ job: Job, after delay: UInt64) {
        let due = MonotonicClock.read() + delay
        if shared.isRunningHere { return core.sleep(job, due: due) }
        let isQueued = shared.post(CallSite(named: "Task.sleep")) { CurrentLoop.loop?.core.sleep(job, due: due) }
        if !isQueued { shared.moveJob(job, after: delay) }
    }
}
