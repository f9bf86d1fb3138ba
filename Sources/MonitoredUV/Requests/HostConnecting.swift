/// An attempt to connect to a host by name: looks up its addresses and tries them in turn. Loop thread only.
final class HostConnecting {
    typealias Completion = (Result<UVTCP, UVError>) -> Void

    private let core: LoopCore
    private let site: CallSite
    private let host: String
    private let port: Int
    private var completion: Completion?
    private var lookup: UVRequest?
    private var tcp: UVTCP?
    private var deadline: TimerToken?

    init(_ core: LoopCore, _ site: CallSite, _ host: String, _ port: Int, _ completion: @escaping Completion) {
        self.core = core
        self.site = site
        self.host = host
        self.port = port
        self.completion = completion
    }

    func start(timeout: Duration?) throws(UVError) {
        if let address = try? UVSocketAddress(host, port: port) {
            tryNext([address][...], noAddress)
        } else {
            let request = try LookupRequest(core, site, host, port, .system) { [self] result in
                lookup = nil
                switch result {
                case .success(let addresses):
                    tryNext(addresses[...], noAddress)
                case .failure(let error): finish(.failure(error))
                }
            }
            lookup = UVRequest(core, request.cancel)
        }
        guard let timeout, completion != nil else { return }
        let work = TimedWork.once(core.recorder.name(of: site)) { [self] in
            deadline = nil
            let detail = "connecting to \(host):\(port) took longer than \(timeout.clamped.brief)"
            giveUp(UVError(.timedOut, operation: "UVTCP.connect", detail: detail))
        }
        deadline = core.schedule(after: timeout.nanosecondsClamped, work)
    }

    private var noAddress: UVError {
        UVError(.nameHasNoAddress, operation: "UVTCP.connect", detail: "\(host) has no address")
    }

    /// - Parameter last: The error of the previous address.
    private func tryNext(_ addresses: ArraySlice<UVSocketAddress>, _ last: UVError) {
        if completion == nil { return }
        guard let address = addresses.first else { return finish(.failure(last)) }
        do throws(UVError) {
            let tcp = try UVTCP(core)
            self.tcp = tcp
            try tcp.connect(to: address, site) { [self] error in
                if completion == nil { return }
                guard let error else { return finish(.success(tcp)) }
                tcp.close()
                tryNext(addresses.dropFirst(), error)
            }
        } catch {
            tcp?.close()
            // Never within the call that started this.
            core.post(.connect, site) { [self] in tryNext(addresses.dropFirst(), error) }
        }
    }

    func cancel() {
        giveUp(UVError(.canceled, operation: "UVTCP.connect", detail: "connecting to \(host):\(port) was canceled"))
    }

    private func giveUp(_ error: UVError) {
        guard let completion else { return }
        self.completion = nil
        if core.isClosed { return }
        lookup?.cancel()
        tcp?.close()
        endDeadline()
        core.post(.connect, site) { completion(.failure(error)) }
    }

    private func finish(_ result: Result<UVTCP, UVError>) {
        let completion = self.completion
        self.completion = nil
        endDeadline()
        completion?(result)
    }

    private func endDeadline() {
        if let deadline { _ = core.unschedule(deadline) }
        deadline = nil
    }
}

extension UVTCP {
    /// Connects to the first address of `host` that accepts, and calls back with the connection. Traps on any thread
    /// but the loop's.
    ///
    /// - Parameters:
    ///   - host: A name, or a numeric address.
    ///   - port: From 0 to 65,535.
    ///   - loop: The loop of the connection.
    ///   - timeout: The time limit for lookup and connecting together, after which the attempt fails with
    ///     ``UVError/Code/timedOut``; by default, the system's limits apply.
    ///   - name: The name of the dispatches; by default the place of the call.
    ///   - file: The file of the call.
    ///   - line: The line of the call.
    ///   - function: The function of the call.
    ///   - completion: Called once: with a connection that the caller must close, with the error of the last address
    ///     tried, with ``UVError/Code/canceled``, or with ``UVError/Code/nameUnknown`` or another error of the lookup.
    /// - Returns: The request, with which to cancel the attempt.
    /// - Throws: The errors of ``UVEventLoop/getaddrinfo(_:port:name:file:line:function:_:)``, and
    ///   ``UVError/Code/invalidArgument`` on a closed loop. `completion` is then not called.
    ///
    /// The corresponding libuv functions are `uv_getaddrinfo` and `uv_tcp_connect`.
    @discardableResult
    public static func connect(
        host: String,
        port: Int,
        on loop: UVEventLoop,
        timeout: Duration? = nil,
        name: DispatchName? = nil,
        file: StaticString = #fileID,
        line: UInt = #line,
        function: StaticString = #function,
        _ completion: @escaping (Result<UVTCP, UVError>) -> Void
    ) throws(UVError) -> UVRequest {
        loop.core.preconditionOnOwnThread("UVTCP.connect")
        if loop.core.isClosed { throw loop.shared.closedError("UVTCP.connect") }
        let connecting = HostConnecting(loop.core, CallSite(name, file, line, function), host, port, completion)
        try connecting.start(timeout: timeout)
        return UVRequest(loop.core, connecting.cancel)
    }

    /// Binds to a numeric address of this machine: `127.0.0.1`, `::1`, or `0.0.0.0` and `::` for all of them. With port
    /// 0 the system chooses a free port. Throws the errors of ``bind(to:ipv6Only:)``, and
    /// ``UVError/Code/invalidArgument`` if `host` is not a numeric address.
    ///
    /// The corresponding libuv function is `uv_tcp_bind`.
    public func bind(host: String, port: Int, ipv6Only: Bool = false) throws(UVError) {
        try bind(to: UVSocketAddress(host, port: port), ipv6Only: ipv6Only)
    }

    /// Creates a handle that listens on a numeric address. For the address see ``bind(host:port:ipv6Only:)``, for
    /// everything else ``listen(backlog:whenOutOfDescriptors:name:file:line:function:onConnection:)``.
    ///
    /// - Returns: The listening handle, which keeps `run` alive until it is closed.
    ///
    /// The corresponding libuv functions are `uv_tcp_bind` and `uv_listen`.
    @discardableResult
    public static func listen(
        host: String,
        port: Int,
        on loop: UVEventLoop,
        backlog: Int32 = 511,
        whenOutOfDescriptors policy: OutOfDescriptors = .hold,
        name: DispatchName? = nil,
        file: StaticString = #fileID,
        line: UInt = #line,
        function: StaticString = #function,
        onConnection: @escaping (Result<UVTCP, UVError>) -> Void
    ) throws(UVError) -> UVTCP {
        let tcp = try UVTCP(on: loop)
        do throws(UVError) {
            try tcp.bind(host: host, port: port)
            try tcp.listen(
                backlog: backlog,
                whenOutOfDescriptors: policy,
                name: name,
                file: file,
                line: line,
                function: function,
                onConnection: onConnection
            )
        } catch {
            tcp.close()
            throw error
        }
        return tcp
    }
}
