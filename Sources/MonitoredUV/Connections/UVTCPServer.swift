/// A listening TCP socket for tasks: connections arrive as an asynchronous sequence.
///
/// ```swift
/// let server = try await UVTCPServer.listen(host: "127.0.0.1", port: 7000)
/// try await server.serve { connection in
///     for try await bytes in connection.inbound { try await connection.write(bytes) }
/// }
/// ```
///
/// It stops listening when its last reference is released, or with ``close(gracePeriod:)``. If its loop is not running
/// then, it stops as soon as the loop runs again.
///
/// The corresponding libuv type is `uv_tcp_t`.
public final class UVTCPServer: Sendable {
    /// The loop that accepts connections. They stay on it, unless the server was given a group.
    public let loop: UVEventLoop
    /// The address that the server listens on.
    public let localAddress: UVSocketAddress
    let state: ServerState
    private let handlers = ServedHandlers()

    private init(_ state: ServerState) throws(UVError) {
        loop = state.tcp.loop
        localAddress = try state.tcp.localAddress()
        self.state = state
    }

    deinit {
        if loop.shared.isRunningHere { return state.close(nil) }
        _ = loop.shared.post(CallSite(named: "UVTCPServer.close")) { [state] in state.close(nil) }
    }

    /// Listens on the first address of `host`. `0.0.0.0` and `::` stand for all addresses of this machine, and port 0
    /// for a free port, which ``localAddress`` then contains.
    ///
    /// - Parameters:
    ///   - host: A name, or a numeric address.
    ///   - port: From 0 to 65,535.
    ///   - backlog: The maximum number of connections that the kernel queues until they are accepted.
    ///   - loop: The loop of the server and its connections; by default the one that runs the task.
    ///   - policy: How to treat clients while the process is out of descriptors.
    ///   - onAcceptError: Called on the loop's thread when accepting fails: once until a connection is accepted again,
    ///     and with ``UVError/Code/notConnected`` for each client that has already reset its connection. The server
    ///     continues. By default, other errors are printed to standard error, at most one a minute.
    ///   - name: The name of the dispatches; by default the place of the call.
    ///   - file: The file of the call.
    ///   - line: The line of the call.
    ///   - function: The function of the call.
    /// - Throws: ``UVError/Code/addressInUse`` and others; ``UVError/Code/invalidArgument`` outside of a loop without
    ///   `loop`, and on a closed loop.
    ///
    /// The corresponding libuv functions are `uv_tcp_bind` and `uv_listen`.
    public nonisolated(nonsending) static func listen(
        host: String,
        port: Int,
        backlog: Int32 = 511,
        whenOutOfDescriptors policy: UVStream.OutOfDescriptors = .hold,
        on loop: UVEventLoop? = nil,
        onAcceptError: (@Sendable (UVError) -> Void)? = nil,
        name: DispatchName? = nil,
        file: StaticString = #fileID,
        line: UInt = #line,
        function: StaticString = #function
    ) async throws -> UVTCPServer {
        let loop = try UVEventLoop.orCurrent(loop, for: "UVTCPServer.listen")
        let site = CallSite(name, file, line, function)
        return try await listen(host, port, backlog, policy, on: loop, nil, onAcceptError, site)
    }

    /// Listens on one loop of a group, and distributes connections to all loops of the group in turn, so that the
    /// threads of all loops serve them. A connection stays on its loop, and so does the task with its handler.
    ///
    /// A loop that falls behind on its connections, such as one that is blocked, is skipped once 16 of them wait for
    /// it. The server keeps the group alive; shut the group down after closing the server.
    ///
    /// The corresponding libuv functions are `uv_tcp_bind`, `uv_listen`, and `uv_tcp_open`.
    public nonisolated(nonsending) static func listen(
        host: String,
        port: Int,
        backlog: Int32 = 511,
        whenOutOfDescriptors policy: UVStream.OutOfDescriptors = .hold,
        on group: UVEventLoopGroup,
        onAcceptError: (@Sendable (UVError) -> Void)? = nil,
        name: DispatchName? = nil,
        file: StaticString = #fileID,
        line: UInt = #line,
        function: StaticString = #function
    ) async throws -> UVTCPServer {
        let site = CallSite(name, file, line, function)
        return try await listen(host, port, backlog, policy, on: group.next(), group, onAcceptError, site)
    }

    private nonisolated(nonsending) static func listen(
        _ host: String,
        _ port: Int,
        _ backlog: Int32,
        _ policy: UVStream.OutOfDescriptors,
        on loop: UVEventLoop,
        _ group: UVEventLoopGroup?,
        _ onAcceptError: (@Sendable (UVError) -> Void)?,
        _ site: CallSite
    ) async throws -> UVTCPServer {
        let address = try await loop.addresses(of: host, port: port)[0]
        return try await LoopOperation<UVTCPServer>.wait(on: loop, "UVTCPServer.listen") { [unowned loop] operation in
            operation.resume(
                with: Result {
                    let tcp = try UVTCP(on: loop)
                    do {
                        try tcp.bind(to: address)
                        let state = ServerState(tcp, group, onAcceptError)
                        try state.listen(backlog, policy, site)
                        return try UVTCPServer(state)
                    } catch {
                        tcp.close()
                        throw error
                    }
                }
            )
        }
    }

    /// The connections that clients make, until the server is closed.
    ///
    /// While no task takes them, at most 65 are accepted; the kernel keeps the others waiting. All iterators consume
    /// the same connections; two tasks cannot wait for one at the same time. The iterator throws `CancellationError`
    /// when the task is canceled while it waits for a client. With a group, it also waits until the connection's loop
    /// takes over the client, and cancellation does not end that wait; `serve` does not have this wait.
    public var connections: Connections { Connections(server: self) }

    /// The sequence of ``UVTCPServer/connections``.
    public struct Connections: AsyncSequence, Sendable {
        fileprivate let server: UVTCPServer

        /// Makes an iterator.
        public func makeAsyncIterator() -> Iterator { Iterator(server: server) }

        /// An iterator that waits for connections.
        public struct Iterator: AsyncIteratorProtocol {
            fileprivate let server: UVTCPServer

            /// Returns the next connection; `nil` once the server is closed.
            public mutating func next() async throws -> UVTCPConnection? { try await server.accept() }

            /// Returns the next connection; `nil` once the server is closed.
            public mutating func next(isolation actor: isolated (any Actor)?) async throws -> UVTCPConnection? {
                try await server.accept()
            }
        }
    }

    private nonisolated(nonsending) func accept() async throws -> UVTCPConnection? {
        while let socket = try await acceptSocket() {
            if let connection = await open(socket) { return connection }
        }
        return nil
    }

    private nonisolated(nonsending) func acceptSocket() async throws -> AcceptedSocket? {
        try Task.checkCancellation()
        if loop.shared.isRunningHere, let socket = state.takeSocket() {
            await loop.giveWay()
            return socket
        }
        return try await LoopOperation<AcceptedSocket?>.wait(on: loop, "UVTCPServer.accept") { [state] in
            state.accept($0)
        }
    }

    /// Opens the connection of a client; returns `nil` if the client is already gone, which is reported to
    /// `onAcceptError`.
    private nonisolated(nonsending) func open(_ socket: AcceptedSocket) async -> UVTCPConnection? {
        switch await socket.open() {
        case .success(let connection): return connection
        case .failure(let error):
            if loop.shared.isRunningHere {
                state.failed(error)
            } else {
                _ = loop.shared.post(CallSite(named: "UVTCPServer.accept")) { [state] in state.failed(error) }
            }
            return nil
        }
    }

    /// The event on which `serve` cancels the handler of a client that is gone.
    public enum HandlerCancellation: Sendable {
        /// Never: the handler finds out when it next reads or writes.
        case never
        /// When the client resets the connection, or the connection breaks otherwise.
        case onReset
        /// When the client resets the connection or ends its stream. A client that half-closes to mark the end of its
        /// request gets no answer with this.
        case onEndOfStream
    }

    /// Serves each connection in a child task of its own on the connection's loop, and closes the connection when the
    /// task's `handler` returns or throws. Returns when the server is closed and all handlers have ended; handlers that
    /// run for longer than ``close(gracePeriod:)`` allows are canceled.
    ///
    /// An error in a handler ends only its own connection. Canceling the task cancels the handlers; the server listens
    /// until it is closed. The number of connections is not limited, and neither is the time that handlers take: use
    /// ``UVEventLoop/withTimeout(_:_:)`` in handlers.
    ///
    /// - Parameters:
    ///   - cancellation: When to cancel the handler of a client that is gone. Any case but `never` reads ahead, as
    ///     ``UVTCPConnection/closed`` does.
    ///   - handler: Called with the connection of one client.
    ///   - onError: Called with each error that a handler throws, including resets by clients and the
    ///     `CancellationError` of handlers that a closing server or this task cancels, but not that of a handler that
    ///     was canceled because its client was gone. By default, the first error that is neither a ``UVError`` nor a
    ///     `CancellationError` is printed to standard error.
    /// - Throws: `CancellationError` if the task is canceled; ``UVError/Code/alreadyInProgress`` if another task takes
    ///   the server's connections; ``UVError/Code/canceled`` if the loop is shut down.
    public nonisolated(nonsending) func serve(
        cancelingHandlers cancellation: HandlerCancellation = .never,
        _ handler: @escaping @Sendable (UVTCPConnection) async throws -> Void,
        onError: (@Sendable (any Error, UVTCPConnection) -> Void)? = nil
    ) async throws {
        let handlers = handlers
        // Distributes clients on the loop that accepts them, however busy the caller's executor is.
        try await withTaskExecutorPreference(loop) {
            try await withThrowingDiscardingTaskGroup { group in
                while let socket = try await acceptSocket() {
                    handlers.began()
                    group.addTask(executorPreference: socket.loop) {
                        defer { handlers.ended() }
                        guard let connection = await self.open(socket) else { return }
                        do {
                            if cancellation == .never {
                                try await connection.executeThenClose(handler)
                            } else {
                                try await connection.executeUntilGone(cancellation, handler)
                            }
                        } catch {
                            if let onError { onError(error, connection) } else { handlers.warn(of: error, in: self) }
                        }
                    }
                }
                await handlers.waitUntilEndedOrDue()
                group.cancelAll()
            }
        }
    }

    /// Stops listening, closes connections that no task has taken, and ends ``connections``. Returns once the server no
    /// longer listens; `serve` returns when its handlers have ended. A second call can shorten the grace period. The
    /// corresponding libuv function is `uv_close`.
    ///
    /// - Parameter gracePeriod: How long the handlers of `serve` may continue before they are canceled. With `nil` they are
    ///   never canceled, so an idle client can keep `serve` from returning.
    public nonisolated(nonsending) func close(gracePeriod: Duration? = .seconds(10)) async {
        if let gracePeriod { handlers.setDeadline(.now + min(gracePeriod, .seconds(1_000_000_000))) }
        let shared = loop.shared
        if shared.isClosed { return }
        await withUnsafeContinuation { continuation in
            let close: @Sendable () -> Void = { [state] in state.close { continuation.resume() } }
            let site = CallSite(named: "UVTCPServer.close")
            if shared.isRunningHere { close() } else if !shared.post(site, close) { continuation.resume() }
        }
    }
}

extension UVTCPServer: CustomStringConvertible {
    /// `UVTCPServer on 127.0.0.1:7000`.
    public var description: String { "UVTCPServer on \(localAddress)" }
}

extension UVTCPConnection {
    /// Runs `handler` with the connection and closes it afterward; cancels it when the peer is gone.
    fileprivate func executeUntilGone(
        _ cancellation: UVTCPServer.HandlerCancellation,
        _ handler: @escaping @Sendable (UVTCPConnection) async throws -> Void
    ) async throws {
        enum End { case handler, peerGone, watching }
        try await withThrowingTaskGroup(of: End.self) { group in
            group.addTask {
                try await self.executeThenClose(handler)
                return .handler
            }
            group.addTask(name: "server's look at a client") {
                await self.isPeerGone(orEndOfStream: cancellation == .onEndOfStream) ? .peerGone : .watching
            }
            var isGone = false
            do {
                // An error that the handler throws leaves the loop, which cancels the other task.
                while let end = try await group.next() {
                    if end == .peerGone { isGone = true }
                    if end != .watching { group.cancelAll() }
                }
            } catch is CancellationError where isGone {}
        }
    }
}
