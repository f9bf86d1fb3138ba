extension UVEventLoop {
    /// Runs `body` with the whole process on monitored loops, and returns what it returns or throws what it throws:
    /// what `uvloop.install()` is to Python.
    ///
    /// ```swift
    /// @main struct Server {
    ///     static func main() throws {
    ///         try UVEventLoop.runMain(monitor: { print($0) }) { … }
    ///     }
    /// }
    /// ```
    ///
    /// From then on every task, actor, task group, `MainActor` and `Task.sleep` of the process runs on the loop of this
    /// thread, and `DispatchQueue.main` with them. With `workers`, `MainActor` stays there, and everything that has no
    /// executor of its own, `body` included, is spread over that many loops on threads of their own, named `worker-1`
    /// and so on: a job goes to whichever of them is free. `Task.sleep` ends with the main loop's timer then.
    ///
    /// Only a synchronous main program can do this: in an `async` main Swift's own executor holds the main thread
    /// already. Anywhere else this traps. It may be called again after it has returned, with the same `workers`; tasks
    /// that were left behind wait meanwhile, those on workers that do not sleep go on.
    ///
    /// Replacing the executors needs Swift 6.3 or later on Linux, and the package's trait `RuntimeInterfaces`, which is on
    /// by default. Elsewhere this prints one warning, and does what ``run(name:monitor:body:)`` does.
    ///
    /// - Parameters:
    ///   - monitor: Told of each dispatch of each loop, on that loop's thread: with workers several threads call it at
    ///     once.
    ///   - workers: How many loops share what needs no particular one; 0 for none but the main one.
    ///   - body: What the loop runs until it returns.
    @available(*, noasync, message: "runMain needs a synchronous main: one without 'async' and 'await'")
    public static func runMain<T: Sendable>(
        monitor: (@Sendable (borrowing IOLoopMonitorState) -> Void)? = nil,
        workers: Int = 0,
        body: @escaping @Sendable () async throws -> T
    ) throws -> T {
        preconditionOutsideOfTasks("runMain", "a synchronous main, one without 'async' and 'await'")
        if !MainQueuePump.isMainThread {
            fatalError("UVEventLoop.runMain was called on a thread that is not the main one. Call it from main.")
        }
        if workers < 0 {
            throw UVError(.invalidArgument, operation: "runMain", detail: "workers: \(workers) is negative")
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

/// The loops that the process has been given to, for the rest of its life.
struct ProcessLoops {
    let main: UVEventLoop
    let workers: UVEventLoopGroup?

    private static let taken = Lock<ProcessLoops?>(nil)
    private static let isRefused = Lock(false)
    static var current: ProcessLoops? { taken.withLock { $0 } }

    /// Makes the loops and installs them, the first time; `nil` where this runtime does not take them.
    static func take(workers: Int) throws(UVError) -> ProcessLoops? {
        if let process = current {
            let count = process.workers?.loops.count ?? 0
            if workers == count { return process }
            let detail = "the process runs with \(count) workers already, and cannot change to \(workers)"
            throw UVError(.invalidArgument, operation: "runMain", detail: detail)
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
