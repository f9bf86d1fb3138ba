import Synchronization

extension UVEventLoop {
    /// Runs `body` on a loop of its own on this thread, and returns its result or throws its error: the equivalent for
    /// synchronous code of Python's `asyncio.run(main(), loop_factory: …)`.
    ///
    /// ```swift
    /// try UVEventLoop.run(monitor: { print($0) }) {
    ///     try await Task.sleep(for: .seconds(1))
    /// }
    /// ```
    ///
    /// The loop runs `body`, its child tasks (`async let`, task groups), the actors and nonisolated functions that they
    /// call, and their `Task.sleep`. It does not run `Task {}`, `Task.detached`, and `MainActor`, which stay with
    /// Swift's own executors; ``runMain(monitor:workers:body:)`` also takes over these. On the main thread of a
    /// Linux program, however, the loop runs `DispatchQueue.main`, and with it `MainActor`, as dispatches of the kind
    /// ``CallbackKind/mainQueue``.
    ///
    /// When `body` has returned, everything still open on the loop is closed. Of the tasks that it left behind on the
    /// loop, those in `Task.sleep` are canceled, other waits on the loop fail with ``UVError/Code/canceled``, and tasks
    /// that keep running are stopped after some seconds, with a warning. Only a task that never suspends blocks the
    /// return, such as `while true { try? await Task.sleep(…) }` once it is canceled. A task that waits for something
    /// else and resumes later continues on Swift's own threads, with one warning.
    ///
    /// Traps if called from a task or from a callback of a loop, because it would block what runs those. There, use
    /// `withTaskExecutorPreference` with a loop of ``UVEventLoopGroup``.
    ///
    /// - Parameters:
    ///   - name: The name of the loop in monitors and messages.
    ///   - monitor: Called with each dispatch after it has ended, on this thread; see ``Monitoring/setMonitor(_:)``.
    ///   - body: The operation that the loop runs until it returns.
    /// - Throws: The error of `body`; ``UVError`` if the system has no descriptors left.
    @available(
        *,
        noasync,
        message:
            "run needs a synchronous main or a thread of its own; in a task, use withTaskExecutorPreference with a loop of a UVEventLoopGroup"
    )
    public static func run<T: Sendable>(
        name: String? = nil,
        monitor: sending ((borrowing IOLoopMonitorState) -> Void)? = nil,
        body: @escaping @Sendable () async throws -> T
    ) throws -> T {
        preconditionOutsideOfTasks(
            "run",
            "a synchronous main, one without 'async' and 'await', or from a thread of your own"
        )
        if let process = ProcessLoops.current?.main, MainQueuePump.isMainThread {
            fatalError(
                "UVEventLoop.run was called on the main thread after runMain. \(process) of runMain owns MainActor and would "
                    + "not run meanwhile. Call runMain again instead."
            )
        }
        if MainQueuePump.isMainThread {
            if !MainQueuePump.isAvailable {
                warn(
                    "MainActor and DispatchQueue.main wait until UVEventLoop.run returns, because the loop cannot run them here."
                )
            }
            try MainQueuePump.prepare()
        }
        if monitor != nil { Symbols.load() }
        let loop = try UVEventLoop(name: name, monitor: monitor)
        defer { loop.closeDown() }
        return try loop.run(until: body) { Task(executorPreference: loop, operation: $0) }
    }

    /// Runs the loop on this thread until the task that `start` makes from `body` has ended.
    func run<T: Sendable>(
        until body: @escaping @Sendable () async throws -> T,
        _ start: (@escaping @Sendable () async -> Void) -> Task<Void, Never>
    ) throws -> T {
        let outcome = Outcome<T>()
        let loop = self
        core.holdOpen(true)
        defer { core.holdOpen(false) }
        _ = start {
            do { outcome.set(.success(try await body())) } catch { outcome.set(.failure(error)) }
            loop.stop()
        }
        while true {
            try run()
            if let result = outcome.result { return try result.get() }
        }
    }

    /// Closes the loop of a run whose body has ended, and everything open on it.
    func closeDown() {
        core.holdOpen(true)  // until the request is seen
        requestShutdown()
        runUntilShutDown()
        closeBehindShutdown()
    }

    /// Traps where waiting for a loop would block what the loop waits for; `place` says where to call the function
    /// instead.
    static func preconditionOutsideOfTasks(_ function: StaticString, _ place: String) {
        let isInTask = withUnsafeCurrentTask { $0 != nil }
        if isInTask {
            fatalError(
                "UVEventLoop.\(function) was called from a task, whose thread it would block. "
                    + "Call it from \(place). In a task, such as a test, use UVEventLoopGroup.withGroup and "
                    + "withTaskExecutorPreference."
            )
        }
        if let loop = current {
            fatalError(
                "UVEventLoop.\(function) was called from a callback of \(loop), which it would block. "
                    + "Start a task there: Task(executorPreference: loop) { … }."
            )
        }
        if MainQueuePump.isInMainQueueElsewhere {
            fatalError(
                "UVEventLoop.\(function) was called from a block of DispatchQueue.main, which it would block. "
                    + "Call it from \(place), before dispatchMain()."
            )
        }
    }
}

/// The outcome of a task, for the thread that runs the task's loop.
private final class Outcome<T: Sendable>: Sendable {
    private let value = Lock<Result<T, any Error>?>(nil)
    var result: Result<T, any Error>? { value.withLock { $0 } }
    func set(_ result: Result<T, any Error>) { value.withLock { $0 = result } }
}
