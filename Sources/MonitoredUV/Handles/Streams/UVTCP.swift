import CLibUV
import MonitoredUVPlatform

/// A TCP socket: a listening server, a client, or an accepted connection.
///
/// ```swift
/// let server = try UVTCP(on: loop)
/// try server.bind(to: UVSocketAddress("127.0.0.1", port: 7000))
/// try server.listen { connection in
///     guard case .success(let client) = connection else { return }
///     …
/// }
/// ```
///
/// The corresponding libuv type is `uv_tcp_t`.
public final class UVTCP: UVStream {
    /// Creates a socket that is neither bound nor connected, on `loop`, whose thread this must be.
    ///
    /// The corresponding libuv function is `uv_tcp_init`.
    public convenience init(on loop: UVEventLoop) throws(UVError) { try self.init(loop.core) }

    /// Adopts an open socket, such as one from a supervisor; from then on the handle owns it and closes it.
    ///
    /// - Throws: ``UVError/Code/invalidArgument`` for descriptors 0 to 2, which libuv does not close: pass a `dup`
    ///   instead. ``UVError/Code/wrongProtocolType`` for a socket that is not a stream, such as a UDP socket. ``UVError/Code/fileExists`` if
    ///   a handle of the loop already reads or writes it, ``UVError/Code/notSocket`` and
    ///   ``UVError/Code/badFileDescriptor`` for a descriptor that is not a socket. After an error, the caller still
    ///   owns the descriptor.
    ///
    /// The corresponding libuv function is `uv_tcp_open`.
    public convenience init(on loop: UVEventLoop, adopting descriptor: Int32) throws(UVError) {
        if descriptor < 0 {
            let detail = "descriptor \(descriptor) is not open"
            throw UVError(.badFileDescriptor, operation: "uv_tcp_open", detail: detail)
        }
        if descriptor <= 2 {
            let detail = "descriptor \(descriptor) is one of 0 to 2: pass a dup of it"
            throw UVError(.invalidArgument, operation: "uv_tcp_open", detail: detail)
        }
        var type: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        if getsockopt(descriptor, SOL_SOCKET, SO_TYPE, &type, &size) != 0 {
            throw UVError(.init(rawValue: -errno), operation: "uv_tcp_open", detail: "descriptor \(descriptor)")
        }
        if type != Platform.streamSocket {
            let detail = "descriptor \(descriptor) is not a stream socket"
            throw UVError(.init(rawValue: -EPROTOTYPE), operation: "uv_tcp_open", detail: detail)
        }
        try self.init(loop.core, opening: descriptor)
    }

    private convenience init(_ core: LoopCore, opening descriptor: Int32) throws(UVError) {
        try self.init(core)
        do {
            try UVError.check(uv_tcp_open(tcp, descriptor), "uv_tcp_open")
        } catch {
            close()
            throw error
        }
    }

    /// Adopts a connection's socket, and closes it on failure.
    convenience init(_ core: LoopCore, owning descriptor: Int32) throws(UVError) {
        do throws(UVError) { try self.init(core, opening: descriptor) } catch {
            Platform.close(descriptor)
            throw error
        }
    }

    init(_ core: LoopCore) throws(UVError) {
        try super.init(core) { (loop, raw) throws(UVError) in try UVError.check(uv_tcp_init(loop, raw), "uv_tcp_init") }
    }

    private var tcp: UnsafeMutablePointer<uv_tcp_t> { rawPointer() }

    // MARK: Server

    /// Sets the socket's local address; with port 0 the system chooses a port, which ``localAddress()`` returns.
    ///
    /// An address that is in use is reported by the next step, listening or connecting. The socket is bound with
    /// `SO_REUSEADDR`.
    ///
    /// - Parameters:
    ///   - address: An address of this machine, or `0.0.0.0` or `::` for all of them.
    ///   - ipv6Only: Whether an IPv6 socket refuses IPv4 peers.
    ///
    /// The corresponding libuv function is `uv_tcp_bind`.
    public func bind(to address: UVSocketAddress, ipv6Only: Bool = false) throws(UVError) {
        try checkOpen("uv_tcp_bind")
        let flags = ipv6Only ? UInt32(UV_TCP_IPV6ONLY.rawValue) : 0
        try UVError.check(address.withSockaddr { uv_tcp_bind(tcp, $0, flags) }, "uv_tcp_bind", "\(address)")
        boundAddress = address
    }

    /// The address passed to `bind`.
    private var boundAddress: UVSocketAddress?
    override var operand: String? { boundAddress.map { "\($0)" } }

    /// Listens, and calls back with each accepted connection; see
    /// ``UVStream/listen(backlog:whenOutOfDescriptors:name:file:line:function:onPending:)`` for accepting later.
    ///
    /// If accepting fails, the callback receives a failure, once until a connection is accepted again; the server
    /// continues. By default, clients wait while the process is out of descriptors.
    ///
    /// The corresponding libuv functions are `uv_listen` and `uv_accept`.
    public func listen(
        backlog: Int32 = 511,
        whenOutOfDescriptors policy: OutOfDescriptors = .hold,
        name: DispatchName? = nil,
        file: StaticString = #fileID,
        line: UInt = #line,
        function: StaticString = #function,
        onConnection: @escaping (Result<UVTCP, UVError>) -> Void
    ) throws(UVError) {
        try listen(backlog, policy, CallSite(name, file, line, function)) { [unowned self] error in
            if let error { return onConnection(.failure(error)) }
            onConnection(Result { () throws(UVError) in try accept() })
        }
    }

    /// Accepts the connection that a pending callback announced; the new handle belongs to the same loop.
    ///
    /// - Throws: ``UVError/Code/resourceTemporarilyUnavailable`` if no connection is waiting.
    ///
    /// The corresponding libuv function is `uv_accept`.
    public func accept() throws(UVError) -> UVTCP {
        try UVTCP(core, owning: acceptDescriptor())
    }

    /// Returns the socket's descriptor; binds an unbound socket to a port that the system chooses.
    override func socketToListen() throws(UVError) -> Int32 {
        do { return try descriptor() } catch UVError.Code.badFileDescriptor {
            try bind(to: UVSocketAddress("0.0.0.0", port: 0))
            return try descriptor()
        }
    }

    // MARK: Client

    /// Connects to `address`. `completion` is called once: with `nil` when the connection is established, with
    /// ``UVError/Code/canceled`` if the handle is closed first, or with ``UVError/Code/connectionRefused`` or another
    /// error.
    ///
    /// The corresponding libuv function is `uv_tcp_connect`.
    public func connect(
        to address: UVSocketAddress,
        name: DispatchName? = nil,
        file: StaticString = #fileID,
        line: UInt = #line,
        function: StaticString = #function,
        _ completion: @escaping (UVError?) -> Void
    ) throws(UVError) {
        try connect(to: address, CallSite(name, file, line, function), completion)
    }

    func connect(
        to address: UVSocketAddress,
        _ site: CallSite,
        _ completion: @escaping (UVError?) -> Void
    ) throws(UVError) {
        try checkOpen("uv_tcp_connect")
        let ended: (UVError?) -> Void = { error in completion(error?.about("\(address)")) }
        do throws(UVError) {
            try StreamRequest.start(.connect, "uv_tcp_connect", on: self, site, ended) { request, _ in
                address.withSockaddr { uv_tcp_connect(request, tcp, $0) { StreamRequest.finish($0, $1) } }
            }
        } catch {
            throw error.about("\(address)")
        }
        isConnecting = true
    }

    // MARK: Options and addresses

    /// Sets whether small writes are sent immediately instead of being coalesced (`TCP_NODELAY`). May be set before the
    /// socket is connected. The corresponding libuv function is `uv_tcp_nodelay`.
    public func setNoDelay(_ isOn: Bool) throws(UVError) {
        try checkOpen("uv_tcp_nodelay")
        try UVError.check(uv_tcp_nodelay(tcp, isOn ? 1 : 0), "uv_tcp_nodelay")
    }

    /// Probes a silent peer after `delay`, rounded up to whole seconds; `nil` turns probing off.
    ///
    /// - Throws: ``UVError/Code/invalidArgument`` for a delay of zero or less, or of more than 32,767 seconds.
    ///
    /// The corresponding libuv function is `uv_tcp_keepalive`.
    public func setKeepAlive(_ delay: Duration?) throws(UVError) {
        try checkOpen("uv_tcp_keepalive")
        let seconds = delay.map { ($0.nanosecondsClamped + 999_999_999) / 1_000_000_000 } ?? 0
        if let delay, !(1...32_767).contains(seconds) {
            throw UVError(
                .invalidArgument,
                operation: "uv_tcp_keepalive",
                detail: "\(delay) is not in 1...32767 seconds"
            )
        }
        try UVError.check(uv_tcp_keepalive(tcp, delay == nil ? 0 : 1, UInt32(seconds)), "uv_tcp_keepalive")
    }

    /// Returns the local address. The corresponding libuv function is `uv_tcp_getsockname`.
    public func localAddress() throws(UVError) -> UVSocketAddress {
        try checkOpen("uv_tcp_getsockname")
        return try UVSocketAddress("uv_tcp_getsockname") { uv_tcp_getsockname(tcp, $0, $1) }
    }

    /// Returns the address of the peer. Throws ``UVError/Code/notConnected`` if there is none. The corresponding libuv
    /// function is `uv_tcp_getpeername`.
    public func remoteAddress() throws(UVError) -> UVSocketAddress {
        try checkOpen("uv_tcp_getpeername")
        return try UVSocketAddress("uv_tcp_getpeername") { uv_tcp_getpeername(tcp, $0, $1) }
    }

    /// Returns the socket's descriptor, which the handle still owns. The corresponding libuv function is `uv_fileno`.
    public func fileDescriptor() throws(UVError) -> Int32 { try descriptor() }

    /// Closes the connection with a reset instead of an orderly end: unsent data is dropped, and the peer sees
    /// ``UVError/Code/connectionReset``.
    ///
    /// - Throws: ``UVError/Code/invalidArgument`` while a shutdown is in progress, and
    ///   ``UVError/Code/badFileDescriptor`` for a handle without a socket; the handle then stays open.
    ///
    /// The corresponding libuv function is `uv_tcp_close_reset`.
    public func closeReset(
        name: DispatchName? = nil,
        file: StaticString = #fileID,
        line: UInt = #line,
        function: StaticString = #function,
        _ completion: (() -> Void)? = nil
    ) throws(UVError) {
        if !isClosing {
            try checkOpen("uv_tcp_close_reset")
            try UVError.check(uv_tcp_close_reset(tcp, UVHandle.closed), "uv_tcp_close_reset")
        }
        if beginClose(CallSite(name, file, line, function), completion) { dropCallbacks() }
    }
}
