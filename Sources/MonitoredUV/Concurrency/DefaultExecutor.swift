import Synchronization

/// Runs what has no executor of its own: on one loop, or on several that share the work.
final class DefaultExecutor: TaskExecutor {
    /// Runs everything where there are no workers.
    private let main: UVEventLoop
    private let pool: JobPool?
    private let workers: [UVEventLoop]
    private let turn = Atomic<Int>(0)

    init(main: UVEventLoop) {
        self.main = main
        pool = nil
        workers = []
    }

    init(main: UVEventLoop, workers: [UVEventLoop], pool: JobPool) {
        self.main = main
        self.pool = pool
        self.workers = workers
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = Job(job)
        guard let pool else { return main.core.enqueue(job, .any) }
        LoopCore.prepare(job, isMonitored: main.core.monitorSwitch.isOn)
        pool.push(job)
    }

    /// Where a sleep is kept: on the loop that runs here, if it is one of these.
    var timerLoop: UVEventLoop {
        guard let pool else { return main }
        if let current = UVEventLoop.current, current.core.pool === pool { return current }
        let turn = UInt(bitPattern: turn.wrappingAdd(1, ordering: .relaxed).oldValue)
        return workers[Int(turn % UInt(workers.count))]
    }
}
