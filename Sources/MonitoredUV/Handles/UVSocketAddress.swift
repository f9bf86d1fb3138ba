import CLibUV
import MonitoredUVPlatform

/// A numeric IPv4 or IPv6 address with a port.
public struct UVSocketAddress: Sendable {
    private let storage: sockaddr_storage

    /// Parses `127.0.0.1`, `::1`, or `fe80::1%eth0`; names are not looked up.
    ///
    /// - Throws: ``UVError/Code/invalidArgument`` for anything else, including a port outside of 0 to 65,535.
    ///
    /// The corresponding libuv functions are `uv_ip4_addr` and `uv_ip6_addr`.
    public init(_ host: String, port: Int) throws(UVError) {
        let isIPv6 = host.utf8.contains(UInt8(ascii: ":"))
        let operation = isIPv6 ? "uv_ip6_addr" : "uv_ip4_addr"
        guard let port = UInt16(exactly: port) else {
            throw UVError(.invalidArgument, operation: operation, detail: "port \(port) is not in 0...65535")
        }
        var storage = sockaddr_storage()
        let status = withUnsafeMutablePointer(to: &storage) { storage in
            let raw = UnsafeMutableRawPointer(storage)
            return isIPv6
                ? uv_ip6_addr(host, Int32(port), raw.assumingMemoryBound(to: sockaddr_in6.self))
                : uv_ip4_addr(host, Int32(port), raw.assumingMemoryBound(to: sockaddr_in.self))
        }
        if status < 0 || host.utf8.contains(0) {
            let code = status < 0 ? UVError.Code(rawValue: status) : .invalidArgument
            let detail = "'\(host)' is not a numeric IPv4 or IPv6 address"
            throw UVError(code, operation: operation, detail: detail)
        }
        self.storage = storage
    }

    /// Creates an address from what `fill` writes, as `getsockname` and similar functions do. Throws for an address
    /// that is neither IPv4 nor IPv6.
    init(
        _ operation: StaticString,
        filledBy fill: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<Int32>) -> Int32
    ) throws(UVError) {
        var storage = sockaddr_storage()
        var length = Int32(MemoryLayout<sockaddr_storage>.size)
        let status = withUnsafeMutablePointer(to: &storage) { storage in
            fill(UnsafeMutableRawPointer(storage).assumingMemoryBound(to: sockaddr.self), &length)
        }
        try UVError.check(status, operation)
        guard [AF_INET, AF_INET6].contains(Int32(storage.ss_family)) else {
            throw UVError(.addressFamilyNotSupported, operation: "\(operation)", detail: "neither IPv4 nor IPv6")
        }
        self.storage = storage
    }

    /// Copies an address that the system returned; `nil` if it is neither IPv4 nor IPv6.
    init?(_ found: UnsafePointer<sockaddr>, length: Int) {
        guard [AF_INET, AF_INET6].contains(Int32(found.pointee.sa_family)) else { return nil }
        var storage = sockaddr_storage()
        withUnsafeMutableBytes(of: &storage) { storage in
            let count = min(length, storage.count)
            storage.copyMemory(from: UnsafeRawBufferPointer(start: found, count: count))
        }
        self.storage = storage
    }

    /// The address without the port.
    public var host: String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
            buffer.initialize(repeating: 0)
            let status = withSockaddr { uv_ip_name($0, buffer.baseAddress!, buffer.count) }
            return status < 0 ? "?" : String(cString: buffer.baseAddress!)
        }
    }

    /// The port, from 0 to 65,535.
    public var port: Int {
        withSockaddr { address in
            let raw = UnsafeRawPointer(address)
            let port = isIPv6 ? raw.load(as: sockaddr_in6.self).sin6_port : raw.load(as: sockaddr_in.self).sin_port
            return Int(UInt16(bigEndian: port))
        }
    }

    /// Whether this is an IPv6 address; otherwise it is IPv4.
    public var isIPv6: Bool { Int32(storage.ss_family) == AF_INET6 }

    func withSockaddr<Result>(_ body: (UnsafePointer<sockaddr>) -> Result) -> Result {
        withUnsafePointer(to: storage) { body(UnsafeRawPointer($0).assumingMemoryBound(to: sockaddr.self)) }
    }
}

extension UVSocketAddress: Hashable, CustomStringConvertible {
    /// Returns whether two addresses have the same family, host, zone, and port.
    public static func == (left: Self, right: Self) -> Bool { left.identity == right.identity }

    /// Hashes the components that equality compares.
    public func hash(into hasher: inout Hasher) { hasher.combine(identity) }

    /// `127.0.0.1:80` or `[::1]:80`.
    public var description: String { isIPv6 ? "[\(host)]:\(port)" : "\(host):\(port)" }

    private var identity: [UInt8] {
        let size = isIPv6 ? MemoryLayout<sockaddr_in6>.size : MemoryLayout<sockaddr_in>.size
        return withSockaddr { Array(UnsafeRawBufferPointer(start: $0, count: size)) }
    }
}
