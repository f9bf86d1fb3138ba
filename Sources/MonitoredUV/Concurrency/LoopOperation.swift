/// An operation on a loop that a task waits for: resumed once, by its result or by its cancellation, whichever comes first.
///
/// `@unchecked Sendable`: used only on the loop's thread, once it has been handed over.
final class LoopOperation<Value: Sendable>: PendingOperation, @unchecked Sendable {
    private var continuation: UnsafeContinuation<Value, any Error>?
    private var isCanceled = false
    /// Undoes what was started. Called before the task resumes because of its cancellation or the loop's shutdown.
    var onCancel: (() -> Void)?

    /// Waits for the operation that `start` begins on `loop`; `start` runs at once if this is the loop's thread.
    ///
    /// - Throws: The error that the operation is resumed with; `CancellationError` if the task is canceled;
    ///   ``UVError/Code/invalidArgument`` if the loop is closed, ``UVError/Code/canceled`` if it is shut down.
    nonisolated(nonsending) static func wait(
        on loop: UVEventLoop,
        _ name: StaticString,
        _ start: @escaping @Sendable (LoopOperation) -> Void
    ) async throws -> Value {
        let operation = LoopOperation()
        let site = CallSite(named: name)
        let result: Result<Value, any Error>
        do {
            let value = try await withTaskCancellationHandler {
                try await withUnsafeThrowingContinuation { continuation in
                    let isAccepted = loop.run(at: site) { [unowned loop] in operation.begin(loop, continuation, start) }
                    if isAccepted { return }
                    continuation.resume(throwing: loop.shared.closedError("\(name)"))
                }
            } onCancel: {
                _ = loop.run(at: site) { operation.cancel() }
            }
            result = .success(value)
        } catch {
            result = .failure(error)
        }
        await loop.giveWay()
        return try result.get()
    }

    private func begin(
        _ loop: UVEventLoop,
        _ continuation: UnsafeContinuation<Value, any Error>,
        _ start: (LoopOperation) -> Void
    ) {
        if isCanceled { return continuation.resume(throwing: CancellationError()) }
        self.continuation = continuation
        loop.core.members.operations.add(self)
        if !loop.core.isShuttingDown { return start(self) }
        // Deferred, so that a task that keeps starting operations leaves its loop a turn.
        loop.core.post(.posted, CallSite(named: "shutdown")) { self.shutDown() }
    }

    func resume(with result: Result<Value, any Error>) {
        guard let continuation else { return }
        self.continuation = nil
        onCancel = nil
        leaveList()
        continuation.resume(with: result)
    }

    func resume(returning value: Value) { resume(with: .success(value)) }
    func resume(throwing error: any Error) { resume(with: .failure(error)) }

    override func shutDown() {
        onCancel?()
        resume(throwing: UVError(.canceled, operation: "UVEventLoop.shutdown", detail: "the loop is being shut down"))
    }

    private func cancel() {
        isCanceled = true
        guard continuation != nil else { return }
        onCancel?()
        resume(throwing: CancellationError())
    }
}

extension UVEventLoop {
    /// Runs `body` on the loop's thread: at once if this is it, else by posting it; `false` if the loop is closed.
    fileprivate func run(at site: CallSite, _ body: @escaping @Sendable () -> Void) -> Bool {
        if shared.isRunningHere {
            body()
            return true
        }
        return shared.post(site, body)
    }

    /// Yields to other jobs if the task has used up its budget. Called after an operation that may have completed at
    /// once, and never within an operation, whose parts must not be separated.
    nonisolated(nonsending) func giveWay() async { if shared.isRunningHere && core.isTurnOver { await Task.yield() } }

    /// Returns the loop that an asynchronous function uses: the one given, or else the one that runs its task.
    static func orCurrent(_ loop: UVEventLoop?, for operation: StaticString) throws(UVError) -> UVEventLoop {
        if let loop = loop ?? UVEventLoop.current { return loop }
        let detail = "no loop runs here: call it from a task on a loop, or pass one as 'on:'"
        throw UVError(.invalidArgument, operation: "\(operation)", detail: detail)
    }
}
