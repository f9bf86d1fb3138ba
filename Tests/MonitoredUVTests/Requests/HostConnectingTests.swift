import MonitoredUVPlatform
import Testing

@testable import MonitoredUV

struct HostConnectingTests {
    @Test(arguments: ["localhost", "127.0.0.1"]) func connect_givesAConnection(_ host: String) throws {
        try withLoop { loop in
            let recorder = Recorder(on: loop)
            let server = try UVTCP.listen(host: "127.0.0.1", port: 0, on: loop) { connection in
                succeed {
                    let peer = try connection.get()
                    try peer.write("hello") { _ in peer.close() }
                }
            }
            var text = ""
            let port = try server.localAddress().port
            try UVTCP.connect(host: host, port: port, on: loop, timeout: .seconds(60), name: "outgoing") { result in
                succeed {
                    let client = try result.get()
                    try client.startReading { text += String(uvBytes: $0) }
                    server.close()
                }
            }
            try #expect(loop.run() == false)
            #expect(text == "hello")
            #expect(recorder.of(.connect).map(\.callbackPrettyName).contains("outgoing"))
            #expect(recorder.of(.timer).isEmpty, "the deadline went with the success")
        }
    }

    @Test func connect_tellsWhyItFailed_alwaysAfterTheCall() throws {
        try withLoop { loop in
            // Bound, so that no other test gets the port, but not listening.
            let bound = try UVTCP(on: loop)
            try bound.bind(to: UVSocketAddress("127.0.0.1", port: 0))
            defer { bound.close() }
            let port = try bound.localAddress().port
            var codes: [UVError.Code] = []
            func note(_ result: Result<UVTCP, UVError>) {
                if case .failure(let error) = result { codes.append(error.code) }
            }
            for host in ["127.0.0.1", "localhost"] {
                try UVTCP.connect(host: host, port: port, on: loop, note)
                #expect(codes.isEmpty)
                try #expect(loop.run() == false)
                #expect(codes == [.connectionRefused])
                codes = []
            }
            try UVTCP.connect(host: "name.invalid", port: port, on: loop, note)
            try #expect(loop.run() == false)
            #expect(codes.count == 1)
            for (host, port) in [("", 1), ("a\0b", 1), ("localhost", -1), ("localhost", 65_536)] {
                let error = #expect(throws: UVError.self) { try UVTCP.connect(host: host, port: port, on: loop, note) }
                #expect(error?.code == .invalidArgument)
            }
            #expect(codes.count == 1)
        }
    }

    @Test func bindAndListen_takeNumericAddressesAlone() throws {
        try withLoop { loop in
            for host in ["localhost", "", "127.0.0.1.5"] {
                let error = #expect(throws: UVError.self) { try UVTCP.listen(host: host, port: 0, on: loop) { _ in } }
                #expect(error?.code == .invalidArgument)
            }
            let server = try UVTCP.listen(host: "::1", port: 0, on: loop) { _ in }
            let port = try server.localAddress().port
            let taken = #expect(throws: UVError.self) { try UVTCP.listen(host: "::1", port: port, on: loop) { _ in } }
            #expect(taken?.code == .addressInUse)
            server.close()
            try #expect(loop.run() == false)
        }
    }

    #if os(Linux)
        @Test func timeout_endsTheAttempt_once() throws {
            let port = try Self.deafPort()
            try withLoop { loop in
                var errors: [UVError] = []
                try UVTCP.connect(host: "127.0.0.1", port: port, on: loop, timeout: .milliseconds(20)) { result in
                    if case .failure(let error) = result { errors.append(error) }
                }
                try #expect(loop.run() == false)
                #expect(errors.map(\.code) == [.timedOut])
                #expect("\(errors[0])".contains("127.0.0.1:\(port)"))
            }
        }

        @Test(arguments: ["127.0.0.1", "localhost"]) func cancel_endsTheAttempt_once(_ host: String) throws {
            let port = try Self.deafPort()
            try withLoop { loop in
                var codes: [UVError.Code] = []
                let request = try UVTCP.connect(host: host, port: port, on: loop, timeout: .seconds(60)) { result in
                    if case .failure(let error) = result { codes.append(error.code) }
                }
                request.cancel()
                request.cancel()
                #expect(codes.isEmpty)
                try #expect(loop.run() == false)
                #expect(codes == [.canceled])
                request.cancel()
                try loop.run()
                #expect(codes.count == 1)
            }
        }

        @Test func connectionsTimeout_isAnErrorOfItsOwn() async throws {
            let port = try Self.deafPort()
            try await withTasks { loop in
                var failure: UVError?
                do {
                    _ = try await UVTCPConnection.connect(host: "127.0.0.1", port: port, timeout: .milliseconds(20))
                } catch let error as UVError { failure = error }
                #expect(failure?.code == .timedOut)
                #expect(failure?.operation == "UVTCPConnection.connect")
            }
        }

        /// A server whose queue is full drops what comes: to connect takes for ever. It stays until the process ends.
        private static func deafPort() throws -> Int {
            let server = socket(AF_INET, Platform.streamSocket, 0)
            let size = socklen_t(MemoryLayout<sockaddr_in>.size)
            #expect(loopback.withSockaddr { bind(server, $0, size) } == 0)
            #expect(Platform.listen(server, 0) == 0)
            let address = try UVSocketAddress("getsockname") { raw, length in
                var size = socklen_t(length.pointee)
                return getsockname(server, raw, &size) == 0 ? 0 : -errno
            }
            for _ in 0..<8 {
                let client = socket(AF_INET, Platform.streamSocket | Int32(SOCK_NONBLOCK.rawValue), 0)
                _ = address.withSockaddr { connect(client, $0, size) }
            }
            return address.port
        }
    #endif
}
