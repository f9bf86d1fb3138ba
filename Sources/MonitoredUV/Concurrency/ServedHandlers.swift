/// The handlers that `serve` runs for a server's connections, and until when they may go on after its close.
final class ServedHandlers: Sendable {
    private struct State {
        var count = 0
        /// `nil` as long as there is none.
        var deadline: ContinuousClock.Instant?
        var waiters: [Waiter] = []
    }

    /// Who waits for the last handler's end, or for another deadline.
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

    func began() { state.withLock { $0.count += 1 } }

    func ended() {
        let waiters = state.withLock { state in
            state.count -= 1
            return state.count == 0 ? state.waiters.takeAll() : []
        }
        waiters.forEach { $0.end() }
    }

    /// The server closes: handlers may go on until then, unless an earlier instant was given before.
    func setDeadline(_ deadline: ContinuousClock.Instant) {
        let waiters = state.withLock { state in
            state.deadline = min(deadline, state.deadline ?? deadline)
            return state.waiters.takeAll()
        }
        waiters.forEach { $0.end() }
    }

    /// Returns when no handler is left, when the deadline has come, or when the task is canceled.
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

    /// Unless there is nothing to wait for any more, or the deadline is another one by now.
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
