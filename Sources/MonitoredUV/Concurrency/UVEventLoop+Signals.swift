extension UVEventLoop {
    /// Returns the signals with these numbers, as they arrive. In code that the loop runs, they are caught from the call
    /// on; elsewhere, from when the loop processes the request. Until then, a signal has its default effect.
    ///
    /// ```swift
    /// for try await signal in loop.signals(.interrupt, .terminate) { … }
    /// ```
    ///
    /// The wait does not keep `run` alive. It ends when the iterating task is canceled or the sequence is released, and
    /// the sequence ends when the loop is shut down; the loop cannot be closed before that. Up to 64 unconsumed signals
    /// are buffered; later ones are dropped, whichever they are. Only one task may iterate. Any thread.
    ///
    /// - Throws: When iterated, the errors of ``UVSignal/start(_:)``.
    ///
    /// The corresponding libuv function is `uv_signal_start`.
    public func signals(
        _ numbers: UVSignal.Number...,
        name: DispatchName? = nil,
        file: StaticString = #fileID,
        line: UInt = #line,
        function: StaticString = #function
    ) -> AsyncThrowingStream<UVSignal.Number, any Error> {
        let site = CallSite(name, file, line, function)
        return AsyncThrowingStream(bufferingPolicy: .bufferingOldest(64)) { continuation in
            let handles = SignalHandles(continuation)
            let start: @Sendable () -> Void = { [unowned self] in handles.start(numbers, on: self, site) }
            if shared.isRunningHere {
                start()
            } else if !shared.post(site, start) {
                continuation.finish(throwing: shared.closedError("UVEventLoop.signals"))
            }
            continuation.onTermination = { [shared] _ in
                if shared.isRunningHere { return handles.close() }
                _ = shared.post(site) { handles.close() }
            }
        }
    }
}

/// The handles behind one sequence of signals. Loop thread only.
private final class SignalHandles: Sendable {
    typealias Continuation = AsyncThrowingStream<UVSignal.Number, any Error>.Continuation

    private let continuation: Continuation
    /// `nil` once they are closed.
    private let handles = Lock<[UVSignal]?>([])

    init(_ continuation: Continuation) { self.continuation = continuation }

    /// Ends the sequence when the handles release it, whoever closes them.
    private final class End {
        let continuation: Continuation
        init(_ continuation: Continuation) { self.continuation = continuation }
        deinit { continuation.finish() }
    }

    func start(_ numbers: [UVSignal.Number], on loop: UVEventLoop, _ site: CallSite) {
        if handles.withLock({ $0 == nil }) { return }
        let end = End(continuation)
        do {
            for number in numbers {
                let handle = try UVSignal(loop.core, site) { end.continuation.yield($0) }
                handles.withLock { $0?.append(handle) }
                try handle.start(number)
                handle.unref()
            }
        } catch {
            continuation.finish(throwing: error)
            close()
        }
    }

    func close() {
        let open = handles.withLock { handles in
            defer { handles = nil }
            return handles
        }
        open?.forEach { $0.close() }
    }
}
