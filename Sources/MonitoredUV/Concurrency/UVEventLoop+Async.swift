extension UVEventLoop {
    /// Suspends the task for `duration`, measured by this loop, wherever the task runs.
    ///
    /// The wake-up itself is not a dispatch: the job that resumes the task counts as waiting since the requested
    /// instant.
    ///
    /// - Throws: `CancellationError` as soon as the task is canceled; ``UVError/Code/invalidArgument`` on a closed loop,
    ///   ``UVError/Code/canceled`` if the loop is shut down meanwhile.
    public nonisolated(nonsending) func sleep(
        for duration: Duration
    ) async throws {
        try await LoopOperation<Void>.wait(on: self, "UVEventLoop.sleep") { [unowned self] operation in
            let token = core.schedule(after: duration.nanosecondsClamped, .wake { operation.resume(returning: ()) })
            operation.onCancel = { [core] in _ = core.unschedule(token) }
        }
    }

    /// Looks up the addresses of `host`, with `port` filled in, like
    /// ``getaddrinfo(_:port:name:file:line:function:_:)``, but from any task.
    ///
    /// - Throws: ``UVError``, with ``UVError/Code/invalidArgument`` on a closed loop; `CancellationError` as soon as the
    ///   task is canceled, though the lookup may continue in the background.
    public nonisolated(nonsending) func getaddrinfo(
        _ host: String,
        port: Int,
        name: DispatchName? = nil,
        file: StaticString = #fileID,
        line: UInt = #line,
        function: StaticString = #function
    ) async throws -> [UVSocketAddress] {
        try await LoopOperation<[UVSocketAddress]>.wait(on: self, "UVEventLoop.getaddrinfo") {
            [unowned self] operation in
            do {
                let request = try getaddrinfo(host, port: port, name: name, file: file, line: line, function: function)
                { result in
                    operation.resume(with: result.mapError { $0 })
                }
                operation.onCancel = { request.cancel() }
            } catch {
                operation.resume(throwing: error)
            }
        }
    }

    /// Runs `operation` and returns its result; cancels it if it takes longer than `limit`.
    ///
    /// The timeout uses a timer of the loop that runs the task or, outside a loop, Swift's clock. If the operation
    /// completes although it was canceled, its result is returned, so that nothing it received is lost. If it ignores
    /// its cancellation, this function waits until it finishes.
    ///
    /// - Throws: ``UVError/Code/timedOut`` if the operation failed after the timeout had canceled it; the error of
    ///   `operation` if it failed before; `CancellationError` if the task itself was canceled.
    public nonisolated(nonsending) static func withTimeout<T: Sendable>(
        _ limit: Duration,
        _ operation: @escaping @Sendable () async throws -> T
    ) async throws -> T {
        let loop = UVEventLoop.current
        return try await withThrowingTaskGroup(of: T?.self) { group in
            group.addTask { try await operation() }
            group.addTask {
                if let loop {
                    try await loop.sleep(for: limit)
                } else {
                    try await Task.sleep(for: min(limit, .seconds(1_000_000_000)))  // a clock's instants end somewhere
                }
                return nil
            }
            defer { group.cancelAll() }
            if let value = try await group.next()! { return value }
            group.cancelAll()
            // The operation may have completed before its cancellation reached it.
            if let value = try? await group.next()! { return value }
            let detail = "the operation took longer than \(limit.clamped.brief)"
            throw UVError(.timedOut, operation: "withTimeout", detail: detail)
        }
    }
}
