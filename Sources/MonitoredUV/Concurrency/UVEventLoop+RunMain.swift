extension UVEventLoop {
    /// Runs `body` with the whole process on monitored loops, and returns its result or throws its error: the
    /// equivalent of Python's `uvloop.install()`.
    ///
    /// ```swift
    /// @main struct Server {
    ///     static func main() throws {
    ///         try UVEventLoop.runMain(monitor: { print($0) }) { … }
    ///     }
    /// }
    /// ```
    ///
    /// From then on, every task, actor, task group, `MainActor`, and `Task.sleep` of the process runs on the loop of
    /// this thread, and `DispatchQueue.main` with them. With `workers`, `MainActor` stays there, and everything that
    /// has no executor of its own, including `body`, is distributed over that many loops on threads of their own, named
    /// `worker-1` and so on: each job runs on whichever of them is free. `Task.sleep` then uses the main loop's timer.
    ///
    /// Only a synchronous main program can do this, on the main thread: in an `async` main, Swift's own executor already
    /// holds that thread. Anywhere else, this traps. It may be called again after it has returned, with the same
    /// `workers`. In the meantime, tasks that were left behind wait, except that tasks on workers continue unless they
    /// sleep.
    ///
    /// Replacing the executors needs Swift 6.3 or later on Linux, and the package's trait `RuntimeInterfaces`, which is
    /// on by default. Elsewhere, this prints a warning and behaves like ``run(name:monitor:body:)``.
    ///
    /// - Parameters:
    ///   - monitor: Called with each dispatch of each loop, on that loop's thread; with workers, several threads call
    ///     it at once.
    ///   - workers: The number of loops that share jobs without an executor of their own; 0 for only the main loop.
    ///   - body: The operation that runs until it returns.
    /// - Throws: The error of `body`; ``UVError/Code/invalidArgument`` for a negative number of workers, or another one
    ///   than in the first call; ``UVError`` if the system has no descriptors or threads left.
    @available(*, noasync, message: "runMain needs a synchronous main: one without 'async' and 'await'")
    public static func runMain<T: Sendable>(
        monitor: (@Sendable (borrowing IOLoopMonitorState) -> Void)? = nil,
        workers: Int = 0,
        body: @escaping @Sendable () async throws -> T
    ) throws -> T {
        preconditionOutsideOfTasks("runMain", "a synchronous main, one without 'async' and 'await'")
        if !MainQueuePump.isMainThread {
            fatalError(
                "UVEventLoop.runMain was called off the main thread. Call it on the main thread, from a synchronous main."
            )
        }
        if SwiftExecutors.isAskedFor.load(ordering: .relaxed) {
            fatalError(
                "UVEventLoop.runMain was called after SwiftExecutors.monitor, which leaves Swift's own executors in place. "
                    + "Use one of them."
            )
        }
        if workers < 0 {
            throw UVError(.invalidArgument, operation: "UVEventLoop.runMain", detail: "workers: \(workers) is negative")
        }
        guard ProcessExecutors.areReplaceable, let process = try ProcessLoops.take(workers: workers) else {
            warn(
                "UVEventLoop.runMain cannot replace Swift's executors here and behaves like UVEventLoop.run: Task {} and "
                    + "Task.detached stay on Swift's own threads, and there are no workers. runMain needs Swift 6.3 or later "
                    + "on Linux and the package trait RuntimeInterfaces."
            )
            return try run(monitor: monitor, body: body)
        }
        if monitor != nil { Symbols.load() }
        process.setMonitor(monitor)
        return try process.main.run(until: body) { body in Task { await body() } }
    }
}

/// The loops that run the process for the rest of its life.
struct ProcessLoops {
    let main: UVEventLoop
    let workers: UVEventLoopGroup?

    private static let taken = Lock<ProcessLoops?>(nil)
    private static let isRefused = Lock(false)
    static var current: ProcessLoops? { taken.withLock { $0 } }

    /// Returns the process's loops; the first call makes and installs them. Returns `nil` if this runtime does not
    /// accept them.
    static func take(workers: Int) throws(UVError) -> ProcessLoops? {
        if let process = current {
            let count = process.workers?.loops.count ?? 0
            if workers == count { return process }
            let detail = "the process runs with \(count) workers already; pass workers: \(count) instead of \(workers)"
            throw UVError(.invalidArgument, operation: "UVEventLoop.runMain", detail: detail)
        }
        if isRefused.withLock({ $0 }) { return nil }
        try MainQueuePump.prepare()
        let main = try UVEventLoop(name: "main")
        main.shared.isOfProcess.store(true, ordering: .relaxed)
        let pool = workers == 0 ? nil : JobPool(timer: main.shared.wakeUp)
        let group = try pool.map { pool throws(UVError) in
            try UVEventLoopGroup(count: workers, name: "worker", pool: pool)
        }
        main.core.alarm.pool = pool
        SleepDirectory.pool = pool
        let executor = pool.map { DefaultExecutor(main: main, pool: $0) } ?? DefaultExecutor(main: main)
        guard ProcessExecutors.install(main: main, default: executor) else {
            SleepDirectory.pool = nil
            main.core.alarm.pool = nil
            group?.shutdown()
            main.shared.isOfProcess.store(false, ordering: .relaxed)
            main.closeDown()
            isRefused.withLock { $0 = true }
            return nil
        }
        let process = ProcessLoops(main: main, workers: group)
        taken.withLock { $0 = process }
        return process
    }

    func setMonitor(_ monitor: (@Sendable (borrowing IOLoopMonitorState) -> Void)?) {
        main.setMonitor(monitor)
        for worker in workers?.loops ?? [] { worker.shared.requestMonitor(LoopMonitor(monitor)) }
    }
}
