import CLibUV
import MonitoredUVPlatform

/// The base class of byte streams, which listen, read, write, and shut down.
///
/// The corresponding libuv type is `uv_stream_t`.
public class UVStream: UVHandle {
    @exclusivity(unchecked) private final var reader: Unmanaged<StreamReader>?
    @exclusivity(unchecked) private(set) final var listener: StreamListener?
    /// The place where the stream started to listen or to read.
    @exclusivity(unchecked) private final var site = CallbackName.unnamed
    /// Whether this side was shut down.
    @exclusivity(unchecked) private(set) final var wasShutDown = false
    /// Whether a connect request is in progress. Until it completes, libuv mistakes a shutdown for the connection's
    /// success.
    final var isConnecting = false
    /// Called when the handle starts closing, no matter what closes it; releases what belongs to the handle's owner.
    @exclusivity(unchecked) final var onClosing: (() -> Void)?
    /// The instant at which closing canceled pending requests.
    @exclusivity(unchecked) private(set) final var closeRequested: UInt64?

    final var stream: UnsafeMutablePointer<uv_stream_t> { rawPointer() }

    // MARK: Listening

    /// Listens for connections, and calls back for each connection that waits to be accepted;
    /// ``UVTCP/listen(backlog:whenOutOfDescriptors:name:file:line:function:onConnection:)`` also accepts them.
    ///
    /// The next connection is announced only after the previous one has been accepted, so a server that does not accept
    /// makes its clients wait.
    ///
    /// If accepting fails, for example because the process is out of descriptors, `onPending` receives the error, once
    /// until a connection is accepted again. The loop retries every 5 ms, and whenever one of its handles closes.
    ///
    /// - Parameters:
    ///   - backlog: The number of connections that the kernel keeps until they are accepted.
    ///   - policy: How to treat clients while the process is out of descriptors.
    ///   - name: The name of the dispatches; by default the place of the call.
    ///   - file: The file of the call.
    ///   - line: The line of the call.
    ///   - function: The function of the call.
    ///   - onPending: Called on the loop's thread with `nil` for a waiting connection, to be accepted then or later, or
    ///     with an error.
    /// - Throws: ``UVError/Code/addressInUse`` if the bound address is in use, among others.
    ///
    /// The corresponding libuv function is `uv_listen`; this calls `listen` and `accept4` itself, with a `uv_poll_t`.
    @_disfavoredOverload
    public final func listen(
        backlog: Int32 = 511,
        whenOutOfDescriptors policy: OutOfDescriptors = .hold,
        name: DispatchName? = nil,
        file: StaticString = #fileID,
        line: UInt = #line,
        function: StaticString = #function,
        onPending: @escaping (UVError?) -> Void
    ) throws(UVError) {
        try listen(backlog, policy, CallSite(name, file, line, function), onPending)
    }

    /// How a listening stream treats clients while the process is out of descriptors.
    public enum OutOfDescriptors: Sendable {
        /// Leaves them in the kernel's queue until descriptors are available.
        case hold
        /// Accepts them with a descriptor that the loop keeps in reserve, and closes them at once.
        case shed
    }

    final func listen(
        _ backlog: Int32,
        _ policy: OutOfDescriptors,
        _ site: CallSite,
        _ onPending: @escaping (UVError?) -> Void
    ) throws(UVError) {
        try checkOpen("uv_listen")
        // An error of `uv_tcp_bind`, which libuv reports only when the socket is used.
        try UVError.check(stream.pointee.delayed_error, "uv_listen", operand)
        let socket = try socketToListen()
        let status = Platform.listen(socket, backlog) == 0 ? 0 : -errno
        try UVError.check(status, "uv_listen", operand)
        let callback = StreamListener.Callback(onPending)
        let pending = listener?.takePending() ?? -1
        endListening()
        do throws(UVError) {
            listener = try StreamListener(self, socket, policy, pending: pending, callback)
        } catch {
            if pending >= 0 { Platform.close(pending) }
            throw error
        }
        self.site = core.recorder.name(of: site)
    }

    /// The detail for errors of listening.
    var operand: String? { nil }

    /// Returns the descriptor of the socket to listen on.
    func socketToListen() throws(UVError) -> Int32 { try descriptor() }

    final func descriptor() throws(UVError) -> Int32 {
        try checkOpen("uv_fileno")
        var descriptor: uv_os_fd_t = -1
        try UVError.check(uv_fileno(raw, &descriptor), "uv_fileno")
        return descriptor
    }

    /// Accepts the connection that `onPending` announced, without creating a handle, for use on another loop.
    ///
    /// ```swift
    /// let descriptor = try server.acceptDescriptor()
    /// other.execute {
    ///     guard let connection = try? UVTCP(on: other, adopting: descriptor) else { … }
    ///     …
    /// }
    /// ```
    ///
    /// - Returns: The descriptor of the connection's socket, in non-blocking mode. The caller owns it.
    /// - Throws: ``UVError/Code/resourceTemporarilyUnavailable`` if no connection is waiting.
    public final func acceptDescriptor() throws(UVError) -> Int32 {
        try checkOpen("accept")
        if let descriptor = listener?.takeConnection() { return descriptor }
        throw UVError(.resourceTemporarilyUnavailable, operation: "accept", detail: "no connection is waiting")
    }

    private final func endListening() {
        guard let listener else { return }
        self.listener = nil
        if let callback = listener.end() { core.recorder.deferRelease(callback, dispatchName(site)) }
    }

    override final var isHelped: Bool { listener != nil }
    override final func refChanged(_ hasRef: Bool) { listener?.keepRunning(hasRef) }

    // MARK: Reading

    /// Whether bytes can arrive: the stream is connected and the peer has not ended its side. The corresponding libuv
    /// function is `uv_is_readable`.
    public final var isReadable: Bool { isOpenHere && uv_is_readable(stream) != 0 }

    /// Starts reading, and calls back with each chunk of bytes that arrives, until ``stopReading()``,
    /// ``UVHandle/close(name:file:line:function:_:)`` or the end.
    ///
    /// The bytes are in the loop's own buffer of up to 256 KiB, borrowed for the call: the compiler rejects escapes.
    /// `Array(uvBytes: bytes)` and `String(uvBytes: bytes)` make copies.
    ///
    /// - Parameters:
    ///   - name: The name of the dispatches; by default the place of the call.
    ///   - file: The file of the call.
    ///   - line: The line of the call.
    ///   - function: The function of the call.
    ///   - onBytes: Called with at least one byte.
    ///   - onEnd: Called once when no more bytes will come; the stream stays open, for writing, until it is closed. By
    ///     default, the stream is then closed.
    /// - Throws: ``UVError/Code/notConnected`` on a stream that is neither connected nor connecting,
    ///   ``UVError/Code/alreadyInProgress`` on a stream that is already reading.
    ///
    /// The corresponding libuv function is `uv_read_start`.
    public final func startReading(
        name: DispatchName? = nil,
        file: StaticString = #fileID,
        line: UInt = #line,
        function: StaticString = #function,
        _ onBytes: @escaping (RawSpan) -> Void,
        onEnd: ((ReadEnd) -> Void)? = nil
    ) throws(UVError) {
        let onEnd = onEnd ?? { [unowned self] _ in close() }
        try startReading(CallSite(name, file, line, function), onBytes, onEnd: onEnd)
    }

    final func startReading(
        _ site: CallSite,
        _ onBytes: @escaping (RawSpan) -> Void,
        onEnd: @escaping (ReadEnd) -> Void
    ) throws(UVError) {
        try checkOpen("uv_read_start")
        core.streams.allocateBuffer()
        let started = uv_read_start(stream, { raw, _, buffer in UVStream.lendBuffer(raw, buffer) }) {
            raw,
            count,
            buffer in
            UVStream.received(raw, count, buffer)
        }
        try UVError.check(started, "uv_read_start")
        replaceReader(StreamReader(onBytes, onEnd))
        self.site = core.recorder.name(of: site)
    }

    /// Stops reading; data that arrives meanwhile stays in the kernel, so a fast peer has to wait. Neither end of
    /// stream nor a reset is noticed until reading starts again. The corresponding libuv function is `uv_read_stop`.
    public final func stopReading() {
        guard isOpenHere else { return }
        UVError.require(uv_read_stop(stream), "uv_read_stop")
        replaceReader(nil)
    }

    /// The reason why no more bytes will come.
    public enum ReadEnd: Sendable, Hashable {
        /// The peer has sent everything and ended its side.
        case endOfStream
        /// The connection is broken, for example by ``UVError/Code/connectionReset``.
        case failed(UVError)
    }

    @inline(__always)
    private static func lendBuffer(_ raw: UnsafeMutablePointer<uv_handle_t>?, _ buffer: UnsafeMutablePointer<uv_buf_t>?)
    {
        // libuv passes a handle and a place for the buffer.
        let loop = raw.unsafelyUnwrapped.pointee.loop.unsafelyUnwrapped
        let core = Unmanaged<LoopCore>.fromOpaque(loop.pointee.data.unsafelyUnwrapped)
        buffer.unsafelyUnwrapped.pointee = core._withUnsafeGuaranteedRef { $0.streams.buffer }
    }

    @inline(__always)
    private static func received(
        _ raw: UnsafeMutablePointer<uv_stream_t>?,
        _ count: Int,
        _ buffer: UnsafePointer<uv_buf_t>?
    ) {
        if count == 0 { return }  // the kernel had nothing after all
        withHandle(of: raw) { (stream: UVStream) in
            if count < 0 { return stream.readingEnded(Int32(truncatingIfNeeded: count)) }
            guard let reader = stream.reader else { return }
            stream.core.dispatch(.read, stream.dispatchName(stream.site), .io(stream.raw)) {
                let bytes = UnsafeRawBufferPointer(start: buffer.unsafelyUnwrapped.pointee.base, count: count)
                reader._withUnsafeGuaranteedRef { $0.onBytes(bytes.bytes) }
            }
        }
    }

    /// Called when libuv has stopped reading; at the end of a stream it may not even have asked for a buffer.
    @inline(never)
    private final func readingEnded(_ status: Int32) {
        guard let reader else { return }
        uv_read_stop(stream)
        replaceReader(nil)
        let status = status == UV_EOF.rawValue ? resetBehindEnd ?? status : status
        let end =
            status == UV_EOF.rawValue
            ? ReadEnd.endOfStream : .failed(UVError(.init(rawValue: status), operation: "read"))
        core.dispatch(.read, dispatchName(site), .io(raw)) { reader._withUnsafeGuaranteedRef { $0.onEnd(end) } }
    }

    /// The error of a broken connection. libuv mistakes a reset for the end of the stream if bytes arrived right before
    /// it.
    private final var resetBehindEnd: Int32? {
        guard let descriptor = try? descriptor(), case let error = Descriptor.socketError(descriptor), error != 0 else {
            return nil
        }
        return -error
    }

    private final func replaceReader(_ new: StreamReader?) {
        deferRelease(reader)
        reader = new.map(Unmanaged.passRetained)
    }

    /// Releases an object after the current dispatch, which may be running it.
    private final func deferRelease<Object: AnyObject>(_ object: Unmanaged<Object>?) {
        if let object { core.recorder.deferRelease(object.takeRetainedValue(), dispatchName(site)) }
    }

    // MARK: Shutting down

    /// Shuts down this side once all writes have completed: the peer sees end of stream, and can still send.
    ///
    /// - Throws: ``UVError/Code/notConnected`` without a connection, including while connecting, and on a second
    ///   shutdown.
    ///
    /// The corresponding libuv function is `uv_shutdown`.
    public final func shutdown(
        name: DispatchName? = nil,
        file: StaticString = #fileID,
        line: UInt = #line,
        function: StaticString = #function,
        _ completion: ((UVError?) -> Void)? = nil
    ) throws(UVError) {
        try checkOpen("uv_shutdown")
        if isConnecting { throw UVError(.notConnected, operation: "uv_shutdown", detail: "\(self) is connecting") }
        let site = CallSite(name, file, line, function)
        try StreamRequest.start(.shutdown, "uv_shutdown", on: self, site, completion) { request, _ in
            uv_shutdown(request, stream) { StreamRequest.finish($0, $1) }
        }
        wasShutDown = true
    }

    /// Throws once the stream was shut down, whatever the state of the socket. libuv versions after 1.43 check this
    /// themselves.
    @inline(__always)
    final func checkWritable(_ operation: StaticString) throws(UVError) {
        try checkOpen(operation)
        if wasShutDown { throw UVError(.brokenPipe, operation: "\(operation)", detail: "\(self) was shut down") }
    }

    override final func willClose() {
        closeRequested = core.clock.now()
        endListening()
        onClosing.take()?()
    }

    override final func dropCallbacks() { replaceReader(nil) }

    override final var registeredName: CallbackName { site }
}

/// The closures passed to ``UVStream/startReading(name:file:line:function:_:onEnd:)``.
private final class StreamReader {
    let onBytes: (RawSpan) -> Void
    let onEnd: (UVStream.ReadEnd) -> Void

    init(_ onBytes: @escaping (RawSpan) -> Void, _ onEnd: @escaping (UVStream.ReadEnd) -> Void) {
        self.onBytes = onBytes
        self.onEnd = onEnd
    }
}
