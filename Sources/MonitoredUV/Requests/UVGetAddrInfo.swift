internal import CLibUV

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A look-up of a host's addresses under way; see ``UVEventLoop/getaddrinfo(_:port:file:line:function:_:)``.
///
/// The corresponding libuv type is `uv_getaddrinfo_t`.
public final class UVGetAddrInfo {
    /// What a look-up comes to: at least one address.
    public typealias Completion = (Result<[UVSocketAddress], UVError>) -> Void

    private let core: LoopCore
    private let site: CallSite
    private let host: String
    private let raw = UnsafeMutablePointer<uv_getaddrinfo_t>.allocate(capacity: 1)
    /// Gone once it was called, or will be.
    private var completion: Completion?
    private var canceledAt: UInt64?

    fileprivate init(
        _ core: LoopCore,
        _ site: CallSite,
        _ host: String,
        _ port: Int,
        _ completion: @escaping Completion
    ) throws(UVError) {
        core.preconditionOnOwnThread("getaddrinfo")
        self.core = core
        self.site = site
        self.host = host
        self.completion = completion
        do throws(UVError) {
            if core.isClosed { throw core.closedError("uv_getaddrinfo") }
            if !(0...65_535).contains(port) {
                let detail = "port \(port) is not in 0...65535"
                throw UVError(.invalidArgument, operation: "uv_getaddrinfo", detail: detail)
            }
            if host.isEmpty || host.utf8.contains(0) {
                let detail = "'\(host)' is not the name of a host"
                throw UVError(.invalidArgument, operation: "uv_getaddrinfo", detail: detail)
            }
            var hints = addrinfo()
            #if canImport(Darwin)
                hints.ai_socktype = SOCK_STREAM
            #else
                hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
            #endif
            let status = uv_getaddrinfo(
                core.uv,
                raw,
                { UVGetAddrInfo.finish($0, $1, $2) },
                host,
                String(port),
                &hints
            )
            try UVError.check(status, "uv_getaddrinfo", host)
        } catch {
            raw.deallocate()
            throw error
        }
        raw.pointee.data = Unmanaged.passRetained(self).toOpaque()
        core.requestsCreated += 1
        core.vitals.requests.add(1, Int(UV_GETADDRINFO.rawValue))
    }

    /// Ends the look-up for its caller: the completion is called once with ``UVError/Code/canceled``, in the loop's
    /// next iteration. A look-up that has begun on libuv's thread pool goes on there, and holds the loop, until it is
    /// through; what it finds is dropped. Does nothing if the look-up is over.
    ///
    /// The corresponding libuv function is `uv_cancel`.
    public func cancel() {
        core.preconditionOnOwnThread("UVGetAddrInfo.cancel()")
        guard let completion, canceledAt == nil else { return }
        canceledAt = core.clock.now()
        let status = UnsafeMutableRawPointer(raw).withMemoryRebound(to: uv_req_t.self, capacity: 1) { uv_cancel($0) }
        if status == 0 { return }
        self.completion = nil
        core.post(.getaddrinfo, site) { [host] in
            completion(.failure(UVError(.canceled, operation: "uv_getaddrinfo", detail: host)))
        }
    }

    private static func finish(
        _ raw: UnsafeMutablePointer<uv_getaddrinfo_t>?,
        _ status: Int32,
        _ found: UnsafeMutablePointer<addrinfo>?
    ) {
        Unmanaged<UVGetAddrInfo>.fromOpaque(raw!.pointee.data).takeRetainedValue().finish(status, found)
    }

    private func finish(_ status: Int32, _ found: UnsafeMutablePointer<addrinfo>?) {
        core.requestsFreed += 1
        core.vitals.requests.add(-1, Int(UV_GETADDRINFO.rawValue))
        raw.deallocate()
        let addresses = UVGetAddrInfo.addresses(found)
        uv_freeaddrinfo(found)
        if core.isTearingDown { completion = nil }
        if completion == nil { return core.stampLoopCode() }
        let readiness: Readiness = canceledAt.map { .exact($0, .completion) } ?? .io(UnsafeRawPointer(raw))
        core.dispatch(.getaddrinfo, core.siteNames.name(of: site), readiness) { complete(status, addresses) }
    }

    /// Runs within the request's dispatch, which includes releasing the closure.
    private func complete(_ status: Int32, _ addresses: [UVSocketAddress]) {
        let completion = self.completion
        self.completion = nil
        func fail(_ code: UVError.Code) {
            completion?(.failure(UVError(code, operation: "uv_getaddrinfo", detail: host)))
        }
        if status < 0 { return fail(canceledAt == nil ? UVError.Code(rawValue: status) : .canceled) }
        if addresses.isEmpty { return fail(.nameHasNoAddress) }
        completion?(.success(addresses))
    }

    private static func addresses(_ first: UnsafeMutablePointer<addrinfo>?) -> [UVSocketAddress] {
        sequence(first: first) { $0?.pointee.ai_next }.prefix { $0 != nil }.compactMap { entry in
            entry.flatMap { UVSocketAddress($0.pointee.ai_addr, length: Int($0.pointee.ai_addrlen)) }
        }
    }
}

/// A request belongs to its loop's thread.
@available(*, unavailable)
extension UVGetAddrInfo: Sendable {}

extension UVEventLoop {
    /// Looks up the addresses of `host`, with `port` in them, in the order in which the system prefers them. Traps on
    /// any thread but the loop's.
    ///
    /// libuv asks the system's resolver on its thread pool, of four threads by default (`UV_THREADPOOL_SIZE`), so a
    /// slow name server holds up other look-ups, but no loop.
    ///
    /// - Parameter completion: Called once, with at least one address, or with ``UVError/Code/nameUnknown`` for an
    ///   unknown host, and others.
    /// - Throws: ``UVError/Code/invalidArgument`` for a name that is empty and for a port outside of 0 to 65,535; then
    ///   `completion` is not called.
    /// - Returns: The request, to cancel it.
    ///
    /// The corresponding libuv function is `uv_getaddrinfo`.
    @discardableResult
    public func getaddrinfo(
        _ host: String,
        port: Int,
        file: StaticString = #fileID,
        line: UInt = #line,
        function: StaticString = #function,
        _ completion: @escaping UVGetAddrInfo.Completion
    ) throws(UVError) -> UVGetAddrInfo {
        try UVGetAddrInfo(core, CallSite(file, line, function), host, port, completion)
    }
}
