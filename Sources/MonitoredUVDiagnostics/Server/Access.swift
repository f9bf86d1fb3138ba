import Foundation
import MonitoredUV
import NIOCore
import NIOHTTP1

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The rules that say who may connect, and ask for what.
struct Access: Sendable {
    private let token: [UInt8]?
    private let hostNames: Set<String>
    private let isSocket: Bool
    private let isOpenToOtherMachines: Bool

    init(_ address: SocketAddress, _ options: UVDiagnosticsOptions) throws(UVError) {
        token = options.token.map { Array($0.utf8) }
        hostNames = options.hostNames.union(["localhost"])
        isSocket = address.pathname != nil
        isOpenToOtherMachines = !isSocket && !address.isLoopback
        if token?.isEmpty == true || isOpenToOtherMachines && token == nil {
            let why = token == nil ? "\(address) is open to other machines, which needs a token" : "the token is empty"
            throw UVError(.invalidArgument, operation: "UVDiagnostics.serve", detail: why)
        }
    }

    /// Fails if a client may not connect: on a Unix domain socket, any but the user of this process and root.
    func admit(_ channel: any Channel) -> EventLoopFuture<Void> {
        guard isSocket else { return channel.eventLoop.makeSucceededVoidFuture() }
        return channel.userOfPeer.flatMapThrowing { user in
            guard user == geteuid() || user == 0 else { throw Refused() }
        }
    }

    private struct Refused: Error {}

    /// Returns the answer to a request that is refused before it is looked at further; `nil` if it is not.
    func refusal(of head: HTTPRequestHead) -> HTTPAnswer? {
        let hosts = head.headers["host"]
        guard hosts.count == 1 || (hosts.isEmpty && head.version.minor == 0) else {
            return .error(.badRequest, "a request needs one Host header")
        }
        if let host = hosts.first, !isSocket, !isKnown(host) {
            return .error(.forbidden, "this server is not called \(host); see UVDiagnostics.Options.hostNames")
        }
        let isFree = isSocket || !isOpenToOtherMachines && [.GET, .HEAD].contains(head.method)
        if isFree || isAuthorized(head) { return nil }
        if token == nil {
            return .error(.forbidden, "requests that change something need a token; see UVDiagnostics.Options.token")
        }
        var answer = HTTPAnswer.error(.unauthorized, "this needs the header 'Authorization: Bearer TOKEN'")
        answer.headers.add(name: "www-authenticate", value: "Bearer")
        return answer
    }

    /// Returns whether a `Host` header names this machine by an address, or by a name that it may be called by.
    private func isKnown(_ host: String) -> Bool {
        let name: Substring
        if host.hasPrefix("["), let end = host.firstIndex(of: "]") {
            name = host[host.index(after: host.startIndex)..<end]
        } else {
            name = host.prefix { $0 != ":" }
        }
        return hostNames.contains(name.lowercased()) || (try? SocketAddress(ipAddress: String(name), port: 0)) != nil
    }

    private func isAuthorized(_ head: HTTPRequestHead) -> Bool {
        guard let token else { return false }
        let given = head.headers["authorization"].first.map { Array($0.utf8) } ?? []
        let wanted = Array("Bearer ".utf8) + token
        // As long for each, whatever they have in common.
        guard given.count == wanted.count else { return false }
        return zip(given, wanted).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
}

extension SocketAddress {
    fileprivate var isLoopback: Bool {
        guard let ip = ipAddress else { return false }
        return ip == "::1" || ip.hasPrefix("127.") || ip.hasPrefix("::ffff:127.")
    }
}

extension Channel {
    /// The user whose process is at the other end of a Unix domain socket.
    fileprivate var userOfPeer: EventLoopFuture<uid_t> {
        guard let options = self as? any SocketOptionProvider else {
            return eventLoop.makeFailedFuture(ChannelError.operationUnsupported)
        }
        #if os(Linux)
            let credentials: EventLoopFuture<Credentials> = options.unsafeGetSocketOption(
                level: .socket,
                name: .init(rawValue: SO_PEERCRED)
            )
            return credentials.map { $0.user }
        #else
            let credentials: EventLoopFuture<xucred> = options.unsafeGetSocketOption(
                level: .init(rawValue: 0),  // SOL_LOCAL
                name: .init(rawValue: LOCAL_PEERCRED)
            )
            return credentials.map { $0.cr_uid }
        #endif
    }
}

/// `struct ucred`, which the C library's module does not have.
private struct Credentials {
    var process: pid_t = 0
    var user: uid_t = 0
    var group: gid_t = 0
}
