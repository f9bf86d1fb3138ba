import Synchronization

/// The handlers that `serve` runs: their count and, once the server is closing, their deadline.
final class ServedHandlers: Sendable {
    private struct State {
        var count = 0
        /// `nil` if handlers may take any time.
        var deadline: ContinuousClock.Instant?
        var waiters: [Waiter] = []
    }

    /// A waiter for the last handler to end or for a new deadline.
    private final class Waiter: Sendable {
        private let state = Lock<(continuation: UnsafeContinuation<Void, Never>?, isOver: Bool)>((nil, false))

        func wait(_ continuation: UnsafeContinuation<Void, Never>) {
            let isOver = state.withLock { state in
                if !state.isOver { state.continuation = continuation }
                return state.isOver
            }
            if isOver { continuation.resume() }
        }

        func end() {
            let continuation = state.withLock { state in
                defer { state = (nil, true) }
                return state.continuation
            }
            continuation?.resume()
        }
    }

    private let state = Lock(State())
    private let hasWarned = Atomic<Bool>(false)

    /// Prints a warning for the first error thrown by a handler, ``UVError`` and `CancellationError` aside. For servers
    /// without `onError`.
    func warn(of error: any Error, in server: UVTCPServer) {
        if error is UVError || error is CancellationError || hasWarned.exchange(true, ordering: .relaxed) { return }
        MonitoredUV.warn(
            "a handler of the server on \(server.localAddress) threw \(String(describing: error).firstBytes(2000).printable), "
                + "and its connection was closed. Later errors are not reported: pass onError to serve to receive them."
        )
    }

    func began() { state.withLock { $0.count += 1 } }

    func ended() {
        let waiters = state.withLock { state in
            state.count -= 1
            return state.count == 0 ? state.waiters.takeAll() : []
        }
        waiters.forEach { $0.end() }
    }

    /// Sets the deadline of all handlers, unless there is an earlier one.
    func setDeadline(_ deadline: ContinuousClock.Instant) {
        let waiters = state.withLock { state in
            state.deadline = min(deadline, state.deadline ?? deadline)
            return state.waiters.takeAll()
        }
        waiters.forEach { $0.end() }
    }

    /// Waits until no handler is left, the deadline has passed, or the task is canceled.
    nonisolated(nonsending) func waitUntilEndedOrDue() async {
        while !Task.isCancelled {
            let (count, deadline) = state.withLock { ($0.count, $0.deadline) }
            if count == 0 || deadline.map({ $0 <= .now }) == true { return }
            await withDiscardingTaskGroup { group in
                let waiter = Waiter()
                if let deadline {
                    group.addTask(name: "server's grace period") {
                        try? await Task.sleep(until: deadline)
                        waiter.end()
                    }
                }
                await withTaskCancellationHandler {
                    add(waiter, until: deadline)
                    await withUnsafeContinuation { waiter.wait($0) }
                } onCancel: {
                    waiter.end()
                }
                remove(waiter)
                group.cancelAll()
            }
        }
    }

    /// Ends the waiter at once if no handler is left or the deadline has changed.
    private func add(_ waiter: Waiter, until deadline: ContinuousClock.Instant?) {
        let isOver = state.withLock { state in
            let isOver = state.count == 0 || state.deadline != deadline
            if !isOver { state.waiters.append(waiter) }
            return isOver
        }
        if isOver { waiter.end() }
    }

    private func remove(_ waiter: Waiter) { state.withLock { $0.waiters.removeAll { $0 === waiter } } }
}

extension Array {
    fileprivate mutating func takeAll() -> [Element] {
        defer { self = [] }
        return self
    }
}
