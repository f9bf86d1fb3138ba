import Foundation
import MonitoredUV
import Testing

@testable import MonitoredUVDiagnostics

#if canImport(Glibc)
    import Glibc
#endif

/// A server for `body`, closed behind it.
func withServer(
    _ options: UVDiagnostics.Options = .init(),
    times: ClientTimes = .init(),
    _ body: (Caller) throws -> Void
) throws {
    let server = try serve(.port(host: "127.0.0.1", 0), options, times: times)
    defer { server.close() }
    try body(Caller(port: try #require(server.port)))
}

/// A server that leaves the loops of other tests alone.
func serve(
    _ place: DiagnosticsPlace,
    _ options: UVDiagnostics.Options = .init(),
    times: ClientTimes = .init()
) throws(UVError) -> UVDiagnostics {
    UVDiagnostics(
        try DiagnosticsServer.start(place, options, times: times) { $0.loopName.hasPrefix("diagnosed") }
    )
}

/// An answer of a server.
struct Answered {
    let status: Int
    let headers: [String: String]
    let body: String

    /// `nil` if the connection ended without an answer.
    init?(_ text: String) {
        guard let end = text.firstRange(of: "\r\n\r\n") else { return nil }
        let lines = text[..<end.lowerBound].split(separator: "\r\n")
        guard let status = lines.first?.split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else { return nil }
        self.status = status
        headers = Dictionary(
            lines.dropFirst().map { line in
                let parts = line.split(separator: ":", maxSplits: 1)
                return (parts[0].lowercased(), parts[1].trimmingCharacters(in: .whitespaces))
            },
            uniquingKeysWith: { "\($0), \($1)" }
        )
        body = String(text[end.upperBound...])
    }

    func json<Value: Decodable>(_ type: Value.Type) throws -> Value {
        try JSONDecoder().decode(type, from: Data(body.utf8))
    }
}

/// A client with blocking calls, which sends whatever it is given.
struct Caller {
    private let address: sockaddr_storage
    private let length: Int
    var host: String

    init(port: Int) {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        self.init(address)
        host = "127.0.0.1:\(port)"
    }

    init(path: String) {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix($0.count - 1)) }
        self.init(address)
    }

    private init<Address>(_ address: Address) {
        var storage = sockaddr_storage()
        withUnsafeMutableBytes(of: &storage) { storage in withUnsafeBytes(of: address) { storage.copyMemory(from: $0) }
        }
        self.address = storage
        length = MemoryLayout<Address>.size
        host = "localhost"
    }

    func connect() throws -> Connection {
        let descriptor = Glibc.socket(Int32(address.ss_family), Int32(SOCK_STREAM.rawValue), 0)
        let status = withUnsafePointer(to: address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(length))
            }
        }
        if status != 0 { throw POSIXError(POSIXErrorCode(rawValue: errno) ?? .EIO) }
        return Connection(descriptor)
    }

    /// Sends a request, and reads until the server closes.
    func call(
        _ path: String,
        _ method: String = "GET",
        _ headers: [String] = [],
        host: String? = nil,
        body: String = ""
    )
        throws -> Answered
    {
        let length = body.isEmpty ? [] : ["content-length: \(body.utf8.count)"]
        let lines =
            ["\(method) \(path) HTTP/1.1", "host: \(host ?? self.host)", "connection: close"] + headers + length
        return try #require(try send(lines.joined(separator: "\r\n") + "\r\n\r\n" + body))
    }

    /// Sends a text, and reads until the server closes; `nil` if nothing comes that is an answer.
    func send(_ text: String) throws -> Answered? {
        let connection = try connect()
        connection.write(Array(text.utf8))
        return Answered(connection.readAll())
    }
}

/// An open connection.
final class Connection {
    private let descriptor: Int32

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
        // No test hangs for longer.
        var limit = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    func write(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = retried {
                rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            }
            if count <= 0 { return }
            rest = rest.dropFirst(count)
        }
    }

    /// Reads until the end, or an error.
    func readAll() -> String {
        var all: [UInt8] = []
        while case let part = read(), !part.isEmpty { all += part }
        return String(decoding: all, as: UTF8.self)
    }

    /// Reads what there is; nothing at the end.
    func read() -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        let count = retried { recv(descriptor, &buffer, buffer.count, 0) }
        return Array(buffer.prefix(max(0, count)))
    }

    /// Signals of other tests interrupt calls that have a time limit.
    private func retried(_ call: () -> Int) -> Int {
        while true {
            let count = call()
            if count >= 0 || errno != EINTR { return count }
        }
    }
}
