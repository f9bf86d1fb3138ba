import CLibUV

/// A lookup of a host's addresses; see ``UVEventLoop/getaddrinfo(_:port:name:file:line:function:_:)``.
final class LookupRequest: ThreadRequest {
    typealias Completion = (Result<[UVSocketAddress], UVError>) -> Void

    private let lookup: Lookup
    /// `nil` once called, or once passed to the loop's queue, which then holds it.
    private var completion: Completion?
    private var isCompleting = false
    private var isCanceled = false

    init(
        _ core: LoopCore,
        _ site: CallSite,
        _ host: String,
        _ port: Int,
        _ resolver: Resolver,
        _ completion: @escaping Completion
    ) throws(UVError) {
        core.preconditionOnOwnThread("getaddrinfo")
        if core.isClosed { throw core.shared.closedError("uv_getaddrinfo") }
        if !(0...65_535).contains(port) {
            let detail = "port \(port) is not in 0...65535"
            throw UVError(.invalidArgument, operation: "uv_getaddrinfo", detail: detail)
        }
        // The length of the ASCII form that libuv gives other names is known only after converting them, which takes
        // long.
        if host.utf8.count > (host.utf8.allSatisfy { $0 < 0x80 } ? 255 : 1024) {
            throw UVError(.nameTooLong, operation: "uv_getaddrinfo", detail: host)
        }
        if host.isEmpty || host.utf8.contains(0) {
            let detail = "'\(host)' is not the name of a host"
            throw UVError(.invalidArgument, operation: "uv_getaddrinfo", detail: detail)
        }
        self.completion = completion
        lookup = Lookup(host, port, core.shared.finishedWork)
        super.init(core, UV_GETADDRINFO, .getaddrinfo, site)
        if let addresses = try SystemResolver.numericAddresses(of: host, port: port, core.uv) {
            completeSoon(.success(addresses))
        } else {
            try resolver.begin(lookup)
            begin(lookup)
        }
    }

    /// Cancels the lookup. The system may continue it, on a thread that nothing waits for.
    override func cancel() {
        if isCanceled || completion == nil && !isCompleting { return }
        isCanceled = true
        lookup.withdraw()
        if end(lookup) { completeSoon(.failure(canceled)) }
    }

    override func finish(at time: UInt64) {
        dispatch(.exact(time, .completion)) { complete(lookup.answer!) }
    }

    /// Runs within the request's dispatch, which includes releasing the closure.
    private func complete(_ answer: Resolver.Answer) {
        let completion = self.completion
        self.completion = nil
        completion?(answer)
    }

    /// Completes in the next drain; if the loop is freed first, the closure is released.
    private func completeSoon(_ answer: Resolver.Answer) {
        var completion = self.completion
        self.completion = nil
        isCompleting = true
        core.post(kind, site) { [self] in
            isCompleting = false
            completion.take()?(isCanceled ? .failure(canceled) : answer)
        }
    }

    private var canceled: UVError { UVError(.canceled, operation: "uv_getaddrinfo", detail: lookup.host) }

    override func drop() {
        lookup.withdraw()
        end(lookup)
        completion = nil
    }
}

extension UVEventLoop {
    /// Looks up the addresses of `host`, each with `port`, in the system's order of preference. Traps on any thread but
    /// the loop's.
    ///
    /// The system's resolver runs on threads separate from libuv's pool: at most 16 at a time for all loops, including
    /// canceled lookups; later lookups wait. Numeric addresses do not wait, and the hosts of `/etc/hosts`, which have four
    /// more threads, do not wait behind those that need a name server.
    ///
    /// - Parameters:
    ///   - host: A name, or a numeric address.
    ///   - port: From 0 to 65,535.
    ///   - name: The name of the dispatches; by default the place of the call.
    ///   - file: The file of the call.
    ///   - line: The line of the call.
    ///   - function: The function of the call.
    ///   - completion: Called once, with at least one address, or with ``UVError/Code/nameUnknown`` for an unknown
    ///     host, or with another error.
    /// - Throws: ``UVError/Code/invalidArgument`` for an empty or ill-formed name and for a port outside of 0 to
    ///   65,535, and ``UVError/Code/nameTooLong``; ``UVError/Code/resourceTemporarilyUnavailable`` if the system has no
    ///   thread left. `completion` is then not called.
    /// - Returns: The request, with which to cancel the lookup.
    ///
    /// The corresponding libuv function is `uv_getaddrinfo`.
    @discardableResult
    public func getaddrinfo(
        _ host: String,
        port: Int,
        name: DispatchName? = nil,
        file: StaticString = #fileID,
        line: UInt = #line,
        function: StaticString = #function,
        _ completion: @escaping (Result<[UVSocketAddress], UVError>) -> Void
    ) throws(UVError) -> UVRequest {
        let site = CallSite(name, file, line, function)
        let request = try LookupRequest(core, site, host, port, .system, completion)
        return UVRequest(core, request.cancel)
    }
}
