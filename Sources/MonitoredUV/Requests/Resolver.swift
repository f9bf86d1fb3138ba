import CLibUV
import MonitoredUVPlatform

/// Looks up hosts on its own threads, because the system's resolver blocks. Any thread.
///
/// Hosts that need no name server have separate threads, so that they never wait for those that do.
final class Resolver: Sendable {
    typealias Answer = Result<[UVSocketAddress], UVError>

    /// The resolver of the operating system.
    static let system = Resolver(
        isLocal: { host throws(UVError) in try HostsFile.system.lists(host) },
        ask: SystemResolver.addresses
    )

    /// Passes each lookup to one of the other pools. It never blocks on a name server, so no lookup waits here for another.
    private let sorting: ThreadPool<Lookup>

    /// - Parameters:
    ///   - isLocal: Returns whether a host needs no name server.
    ///   - ask: Looks up the addresses of a host, each with the given port, and blocks meanwhile.
    init(
        isLocal: @escaping @Sendable (String) throws(UVError) -> Bool,
        ask: @escaping @Sendable (String, Int) -> Answer
    ) {
        let asking = { (name: String, limit: Int) in
            ThreadPool<Lookup>(name: name, atMost: limit) { lookup in
                if !lookup.isWithdrawn { lookup.finish(ask(lookup.host, lookup.port)) }
            }
        }
        let (local, network) = (asking("uv-lookup-local", 4), asking("uv-lookup-net", 16))
        sorting = ThreadPool(name: "uv-lookup", atMost: 1) { lookup in
            if lookup.isWithdrawn { return }
            do throws(UVError) {
                if try isLocal(lookup.host) { try local.add(lookup) } else { try network.add(lookup) }
            } catch {
                lookup.finish(.failure(UVError(error.code, operation: "uv_getaddrinfo", detail: lookup.host)))
            }
        }
    }

    /// - Throws: ``UVError`` if no thread can be started.
    func begin(_ lookup: Lookup) throws(UVError) { try sorting.add(lookup) }
}

/// A query to a ``Resolver``. Any thread.
final class Lookup: Sendable {
    let host: String
    let port: Int
    private let finished: FinishedWork
    private let state = Lock<(answer: Resolver.Answer?, isWithdrawn: Bool)>((nil, false))

    /// Creates a lookup that is added to `finished` once it has its answer.
    init(_ host: String, _ port: Int, _ finished: FinishedWork) {
        self.host = host
        self.port = port
        self.finished = finished
    }

    /// The answer; `nil` until the lookup has finished.
    var answer: Resolver.Answer? { state.withLock { $0.answer } }

    var isWithdrawn: Bool { state.withLock { $0.isWithdrawn } }

    /// Skips the work if it has not started, and drops the answer otherwise.
    func withdraw() { state.withLock { $0.isWithdrawn = true } }

    fileprivate func finish(_ answer: Resolver.Answer) {
        state.withLock { $0.answer = answer }
        if !isWithdrawn { finished.add(self) }
    }
}

/// The blocking calls of the operating system's resolver, through libuv, which encodes non-ASCII names.
enum SystemResolver {
    /// Looks up the addresses of `host`, blocking meanwhile. Any thread.
    static func addresses(of host: String, port: Int) -> Resolver.Answer {
        // libuv counts the request in its loop, and touches nothing else there when the call blocks. Threads cannot
        // share a loop, and an initialized one would hold descriptors.
        let loop = UnsafeMutablePointer<uv_loop_t>.allocate(capacity: 1)
        defer { loop.deallocate() }
        memset(loop, 0, MemoryLayout<uv_loop_t>.size)
        do throws(UVError) { return .success(try ask(loop, host, port, 0)) } catch {
            return .failure(cause(of: error, host))
        }
    }

    /// Parses a numeric address as the resolver does (including `127.1`); returns `nil` for a name. Does not block.
    ///
    /// - Throws: ``UVError`` if `host` cannot be the name of a host.
    static func numericAddresses(
        of host: String,
        port: Int,
        _ loop: UnsafeMutablePointer<uv_loop_t>
    ) throws(UVError) -> [UVSocketAddress]? {
        do throws(UVError) {
            return try ask(loop, host, port, AI_NUMERICHOST)
        } catch UVError.Code.nameUnknown {
            return nil
        } catch {
            throw error
        }
    }

    /// Returns the actual cause of `error`: the system reports a host as unknown if no descriptor is left to look it
    /// up.
    private static func cause(of error: UVError, _ host: String) -> UVError {
        do throws(UVError) {
            try Descriptor.requireFree(1, for: "uv_getaddrinfo")
            return error
        } catch {
            return error.about(host)
        }
    }

    private static func ask(
        _ loop: UnsafeMutablePointer<uv_loop_t>,
        _ host: String,
        _ port: Int,
        _ flags: Int32
    ) throws(UVError) -> [UVSocketAddress] {
        var hints = addrinfo()
        hints.ai_flags = flags | AI_NUMERICSERV
        hints.ai_socktype = Platform.streamSocket
        let request = UnsafeMutablePointer<uv_getaddrinfo_t>.allocate(capacity: 1)
        defer { request.deallocate() }
        // Without a callback, the call blocks.
        try UVError.check(uv_getaddrinfo(loop, request, nil, host, String(port), &hints), "uv_getaddrinfo", host)
        defer { uv_freeaddrinfo(request.pointee.addrinfo) }
        let found = sequence(first: request.pointee.addrinfo) { $0?.pointee.ai_next }.prefix { $0 != nil }
        let addresses = found.compactMap { entry in
            entry.flatMap { UVSocketAddress($0.pointee.ai_addr, length: Int($0.pointee.ai_addrlen)) }
        }
        if addresses.isEmpty { throw UVError(.nameHasNoAddress, operation: "uv_getaddrinfo", detail: host) }
        return addresses
    }
}
