/// A TCP connection for tasks: bytes arrive as an asynchronous sequence, and writing suspends until the kernel accepts
/// them.
///
/// ```swift
/// let connection = try await UVTCPConnection.connect(host: "localhost", port: 7000)
/// try await connection.write("hello\n")
/// for try await bytes in connection.inbound { … }
/// ```
///
/// A connection belongs to one loop and may be used from any task; on its loop, it is used without a change of threads.
/// It closes when its last reference is released, at the latest at the end of the scope that holds it, even if that
/// ends with an error. If its loop is not running then, the connection closes as soon as the loop runs again.
/// ``executeThenClose(_:)`` closes it at the end of its closure, even if other references remain. Small writes go out
/// at once (`TCP_NODELAY`).
///
/// The corresponding libuv type is `uv_tcp_t`.
public final class UVTCPConnection: Sendable {
    /// The loop that the connection is on.
    public let loop: UVEventLoop
    /// The address of this end, as it was when the connection was made.
    public let localAddress: UVSocketAddress
    /// The address of the peer, as it was when the connection was made.
    public let remoteAddress: UVSocketAddress
    let state: ConnectionState

    /// Takes over a connection, on the loop's thread.
    init(_ tcp: UVTCP) throws(UVError) {
        loop = tcp.loop
        localAddress = try tcp.localAddress()
        remoteAddress = try tcp.remoteAddress()
        state = ConnectionState(tcp)
        // If the connection is already broken, the first read reports it.
        try? tcp.setNoDelay(true)
    }

    deinit { abandon() }

    /// Connects to the first address of `host` that accepts the connection. Addresses are tried one after another, and
    /// the timeout covers all of them: an address that does not answer at all keeps the next from being tried.
    ///
    /// - Parameters:
    ///   - host: A name, or a numeric address.
    ///   - port: From 0 to 65,535.
    ///   - loop: The loop of the connection; by default the one that runs the task.
    ///   - timeout: The time limit for lookup and connecting together; by default, as long as the system allows.
    ///   - name: The name of the dispatches; by default the place of the call.
    ///   - file: The file of the call.
    ///   - line: The line of the call.
    ///   - function: The function of the call.
    /// - Throws: ``UVError/Code/timedOut``; ``UVError/Code/connectionRefused`` and others, from the last address tried;
    ///   ``UVError/Code/nameUnknown`` for an unknown host; ``UVError/Code/invalidArgument`` outside of a loop without
    ///   `loop`, and on a closed loop; `CancellationError` as soon as the task is canceled.
    ///
    /// The corresponding libuv functions are `uv_getaddrinfo` and `uv_tcp_connect`.
    public nonisolated(nonsending) static func connect(
        host: String,
        port: Int,
        on loop: UVEventLoop? = nil,
        timeout: Duration? = nil,
        name: DispatchName? = nil,
        file: StaticString = #fileID,
        line: UInt = #line,
        function: StaticString = #function
    ) async throws -> UVTCPConnection {
        let loop = try UVEventLoop.orCurrent(loop, for: "UVTCPConnection.connect")
        let site = CallSite(name, file, line, function)
        guard let timeout else { return try await connect(host, port, on: loop, site) }
        do {
            return try await UVEventLoop.withTimeout(timeout) { try await connect(host, port, on: loop, site) }
        } catch let error as UVError where error.operation == "withTimeout" {
            let detail = "connecting to \(host):\(port) took longer than \(timeout.clamped.brief)"
            throw UVError(.timedOut, operation: "UVTCPConnection.connect", detail: detail)
        }
    }

    private nonisolated(nonsending) static func connect(
        _ host: String,
        _ port: Int,
        on loop: UVEventLoop,
        _ site: CallSite
    ) async throws -> UVTCPConnection {
        let detail = "\(host) has no address"
        var failure: any Error = UVError(.nameHasNoAddress, operation: "UVTCPConnection.connect", detail: detail)
        for address in try await loop.addresses(of: host, port: port) {
            do {
                return try await connect(to: address, on: loop, site)
            } catch let error as UVError {
                failure = error
            }
        }
        throw failure
    }

    private nonisolated(nonsending) static func connect(
        to address: UVSocketAddress,
        on loop: UVEventLoop,
        _ site: CallSite
    ) async throws -> UVTCPConnection {
        try await LoopOperation<UVTCPConnection>.wait(on: loop, "UVTCPConnection.connect") { [unowned loop] operation in
            do {
                let tcp = try UVTCP(on: loop)
                operation.onCancel = { tcp.close() }
                func ended(_ error: UVError?) {
                    do throws(UVError) {
                        if let error { throw error }
                        operation.resume(returning: try UVTCPConnection(tcp))
                    } catch {
                        tcp.close()
                        operation.resume(throwing: error)
                    }
                }
                do throws(UVError) { try tcp.connect(to: address, site, ended) } catch { ended(error) }
            } catch {
                operation.resume(throwing: error)
            }
        }
    }

    // MARK: Reading

    /// The bytes that the peer sends, in chunks as they arrive, until it ends its side or this end is closed.
    ///
    /// Reading pauses once 64 KiB are buffered; the last chunk may exceed that by up to 256 KiB. A fast peer then has
    /// to wait. A second loop over the sequence continues where the first one stopped; two tasks cannot wait for bytes
    /// at the same time.
    ///
    /// The iterator throws ``UVError/Code/connectionReset`` and others when the connection breaks, and
    /// `CancellationError` when the task is canceled while it waits; no bytes are lost then, and reading can continue.
    public var inbound: Inbound { Inbound(connection: self) }

    /// The sequence of ``UVTCPConnection/inbound``.
    public struct Inbound: AsyncSequence, Sendable {
        fileprivate let connection: UVTCPConnection

        /// Makes an iterator. All iterators of a connection consume the same bytes.
        public func makeAsyncIterator() -> Iterator { Iterator(connection: connection) }

        /// An iterator that waits for chunks of bytes.
        public struct Iterator: AsyncIteratorProtocol {
            fileprivate let connection: UVTCPConnection

            /// Returns the next bytes, at least one; `nil` at the end.
            public mutating func next() async throws -> [UInt8]? { try await connection.read() }

            /// Returns the next bytes, at least one; `nil` at the end.
            public mutating func next(isolation actor: isolated (any Actor)?) async throws -> [UInt8]? {
                try await connection.read()
            }
        }
    }

    /// Returns the next bytes that the peer sends, at least one; `nil` at the end. Behaves like the iterator of
    /// ``inbound``.
    public nonisolated(nonsending) func read() async throws -> [UInt8]? {
        try Task.checkCancellation()
        if loop.shared.isRunningHere, let bytes = state.takeBytes() {
            await loop.giveWay()
            return bytes
        }
        return try await LoopOperation<[UInt8]?>.wait(on: loop, "UVTCPConnection.read") { [state] in state.read($0) }
    }

    // MARK: Writing

    /// Writes all of `bytes`, and suspends until the kernel has accepted them: a peer that reads slowly slows its
    /// writer down. Writes by several tasks go out one after another, in the order of the calls on the loop. A task
    /// whose reads and writes never have to wait yields to others after 256 KiB or one millisecond, at the end of such
    /// an operation.
    ///
    /// If the task is canceled while it waits here, an unknown part of `bytes` has been sent: the connection is closed
    /// with a reset, so that the peer does not mistake what it received for the whole.
    ///
    /// - Throws: ``UVError/Code/brokenPipe`` after ``shutdown()`` or a peer's close, ``UVError/Code/badFileDescriptor``
    ///   once closed, ``UVError/Code/connectionReset`` and others; `CancellationError`.
    ///
    /// The corresponding libuv functions are `uv_try_write` and `uv_write`.
    public nonisolated(nonsending) func write(_ bytes: [UInt8]) async throws {
        try Task.checkCancellation()
        let written: Int
        do { written = loop.shared.isRunningHere ? try state.tryWrite(bytes) : 0 } catch {
            await loop.giveWay()
            throw error
        }
        if written == bytes.count { return await loop.giveWay() }
        do {
            try await LoopOperation<Void>.wait(on: loop, "UVTCPConnection.write") { [state] in
                state.write(bytes, from: written, $0)
            }
        } catch let error as CancellationError {
            abandon()
            throw error
        }
    }

    /// Closes the connection without waiting for that.
    func abandon() {
        if loop.shared.isRunningHere { return state.abandon() }
        _ = loop.shared.post(CallSite(named: "UVTCPConnection.close")) { [state] in state.abandon() }
    }

    /// Writes `text` as UTF-8; see ``write(_:)-([UInt8])``.
    public nonisolated(nonsending) func write(_ text: String) async throws { try await write(Array(text.utf8)) }

    /// Ends this side once all writes have completed: the peer sees the end of the stream, and can still send.
    ///
    /// - Throws: ``UVError/Code/notConnected`` the second time, ``UVError/Code/badFileDescriptor`` once closed;
    ///   `CancellationError`, after which the connection is closed.
    ///
    /// The corresponding libuv function is `uv_shutdown`.
    public nonisolated(nonsending) func shutdown() async throws {
        do {
            try await LoopOperation<Void>.wait(on: loop, "UVTCPConnection.shutdown") { [state] in state.shutdown($0) }
        } catch let error as CancellationError {
            abandon()
            throw error
        }
    }

    /// Probes a silent peer after `delay`, rounded up to whole seconds, so that the system notices a peer that has
    /// vanished and breaks the connection; `nil` turns this off. Off by default: a peer that loses its network sends
    /// nothing, and a task that waits for its bytes keeps waiting.
    ///
    /// - Throws: The errors of ``UVTCP/setKeepAlive(_:)``; `CancellationError`.
    ///
    /// The corresponding libuv function is `uv_tcp_keepalive`.
    public nonisolated(nonsending) func setKeepAlive(_ delay: Duration?) async throws {
        try await LoopOperation<Void>.wait(on: loop, "UVTCPConnection.setKeepAlive") { [state] operation in
            operation.resume(with: Result { try state.tcp.setKeepAlive(delay) })
        }
    }

    // MARK: Closing

    /// Waits until the connection is closed on this side, reset by the peer, or broken otherwise. The peer's end of
    /// stream does not count by itself: the peer can still receive. Returns at once when the task is canceled. A peer that
    /// vanished silently is noticed only with ``setKeepAlive(_:)``. The wait does not keep a `run()` of the loop alive.
    ///
    /// Reads ahead during the wait, up to 64 KiB plus one chunk. Once that is full, and after the end of the stream, a
    /// reset is noticed within a second.
    public var closed: Void {
        get async { _ = await isPeerGone(orEndOfStream: false) }
    }

    /// Waits until the connection is gone. Returns `false` if this side has closed it or the task was canceled.
    func isPeerGone(orEndOfStream: Bool) async -> Bool {
        let isPeerGone = try? await LoopOperation<Bool>.wait(on: loop, "UVTCPConnection.closed") { [state] in
            state.waitUntilGone(orEndOfStream: orEndOfStream, $0)
        }
        return isPeerGone ?? false
    }

    /// Closes the connection, and waits until it is completely closed. If bytes from the peer are unread, the system
    /// resets the connection, and the peer may lose the last bytes it was sent: shut down and read to the end first.
    /// Bytes waiting to be written are dropped; a pending read returns `nil`, and a pending write throws
    /// ``UVError/Code/canceled``. A second call also waits.
    ///
    /// Canceling the task does not prevent the close. The corresponding libuv function is `uv_close`.
    public nonisolated(nonsending) func close() async {
        let site = CallSite(named: "UVTCPConnection.close")
        let shared = loop.shared
        if shared.isClosed { return }
        await withUnsafeContinuation { continuation in
            let close: @Sendable () -> Void = { [state] in state.close { continuation.resume() } }
            if shared.isRunningHere { close() } else if !shared.post(site, close) { continuation.resume() }
        }
    }

    /// Runs `body` with the connection and closes it afterward, even after an error.
    public nonisolated(nonsending) func executeThenClose<T>(
        _ body: nonisolated(nonsending) (UVTCPConnection) async throws -> T
    ) async throws -> T {
        do {
            let value = try await body(self)
            await close()
            return value
        } catch {
            await close()
            throw error
        }
    }
}

extension UVTCPConnection: CustomStringConvertible {
    /// `UVTCPConnection 127.0.0.1:7000 to 127.0.0.1:40000`.
    public var description: String { "UVTCPConnection \(localAddress) to \(remoteAddress)" }
}

extension UVEventLoop {
    /// Returns the addresses of `host`. A numeric address needs no lookup.
    nonisolated(nonsending) func addresses(of host: String, port: Int) async throws -> [UVSocketAddress] {
        if let address = try? UVSocketAddress(host, port: port) { return [address] }
        return try await getaddrinfo(host, port: port)
    }
}
