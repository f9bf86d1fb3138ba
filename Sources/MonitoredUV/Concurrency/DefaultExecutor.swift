/// The executor of jobs that have no executor of their own. Runs them on the main loop, or on workers that share a
/// pool.
final class DefaultExecutor: TaskExecutor {
    /// The loop that runs everything if there are no workers.
    private let main: UVEventLoop
    private let pool: JobPool?

    init(main: UVEventLoop) {
        self.main = main
        pool = nil
    }

    init(main: UVEventLoop, pool: JobPool) {
        self.main = main
        self.pool = pool
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = Job(job)
        guard let pool else { return main.enqueue(job, .any) }
        LoopCore.stampForPool(job, isMonitored: main.shared.isMonitored)
        pool.push(job)
    }

    /// Runs `job` after a `delay`. With workers, the main loop's timer triggers it, because every worker may be busy.
    func enqueue(_ job: consuming ExecutorJob, after delay: UInt64) {
        let job = Job(job)
        if let pool {
            pool.sleep(job, due: MonotonicClock.read() + delay)
        } else {
            main.enqueue(job, after: delay)
        }
    }
}
