import Foundation
import MonitoredUV
import NIOCore
import Testing

@testable import MonitoredUVDiagnostics

/// Requests that the server refuses, and that it goes on afterward.
@Suite struct AccessTests {
    @Test(arguments: [
        ("127.0.0.1:80", 200), ("localhost", 200), ("LOCALHOST:9464", 200), ("[::1]:9464", 200), ("10.1.2.3", 200),
        ("evil.example", 403), ("127.0.0.1.evil.example", 403), ("localhost.evil.example:80", 403), ("", 403),
        ("[::1", 403), ("app.example", 200),
    ])
    func host_isAnAddressOrAKnownName(_ host: String, status: Int) throws {
        try withServer(.init(hostNames: ["app.example"])) { caller in
            try #expect(caller.call("/healthz", host: host).status == status)
        }
    }

    @Test(arguments: [
        ("GET /healthz HTTP/1.1\r\nconnection: close\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nhost: localhost\r\nhost: localhost\r\nconnection: close\r\n\r\n", 400),
        ("GET /healthz HTTP/1.0\r\n\r\n", 200),
        ("GET healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n", 400),
        ("GET //evil.example/metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n", 400),
        ("GET http://evil.example/healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n", 400),
        ("GET /%zz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n", 404),
        ("nonsense\r\n\r\n", 400), ("GET / HTTP/9.9\r\nhost: localhost\r\n\r\n", 400),
    ])
    func requestThatCannotBeUnderstood_isRefused(_ text: String, status: Int) throws {
        try withServer { caller in
            try #expect(caller.send(text)?.status == status)
            try #expect(caller.call("/healthz").status == 200)
        }
    }

    @Test func otherPathsAndMethods_areRefused() throws {
        try withServer(.init(token: "secret")) { caller in
            let notFound = try caller.call("/nothing")
            #expect(notFound.status == 404 && notFound.body.contains("/metrics"))
            let post = try caller.call("/metrics", "POST", ["authorization: Bearer secret"], body: "x")
            #expect(post.status == 405 && post.headers["allow"] == "GET, HEAD")
            let head = try caller.call("/healthz", "HEAD", ["authorization: Bearer secret"])
            #expect(head.status == 200 && head.body.isEmpty && head.headers["content-length"] != "0")
        }
    }

    @Test func change_needsTheToken() throws {
        try withServer { caller in
            try #expect(caller.call("/metrics", "POST").status == 403)
        }
        try withServer(.init(token: "secret")) { caller in
            let without = try caller.call("/metrics", "POST")
            #expect(without.status == 401 && without.headers["www-authenticate"] == "Bearer")
            for wrong in ["Bearer secres", "Bearer secre", "Bearer secrets", "secret", "Basic secret", "Bearer "] {
                try #expect(caller.call("/metrics", "POST", ["authorization: \(wrong)"]).status == 401, "\(wrong)")
            }
            try #expect(caller.call("/metrics", "POST", ["authorization: Bearer secret"]).status == 405)
        }
    }

    @Test func addressThatOtherMachinesReach_needsAToken() throws {
        for host in ["0.0.0.0", "::"] {
            let error = #expect(throws: UVError.self) { try serve(.port(host: host, 0)) }
            #expect(error?.code == .invalidArgument)
        }
        let server = try serve(.port(host: "0.0.0.0", 0), .init(token: "secret"))
        defer { server.close() }
        let caller = Caller(port: try #require(server.port))
        try #expect(caller.call("/metrics").status == 401)
        try #expect(caller.call("/metrics", "GET", ["authorization: Bearer secret"]).status == 200)
    }

    @Test func placeThatCannotBeListenedOn_isAnError() throws {
        let server = try serve(.port(host: "127.0.0.1", 0))
        defer { server.close() }
        let taken = #expect(throws: UVError.self) { try serve(.port(host: "127.0.0.1", server.port!)) }
        #expect(taken?.code == .addressInUse && taken?.detail == "127.0.0.1:\(server.port!)")
        for (host, port) in [("nowhere.example", 1), ("", 1), ("127.0.0.1", 65_536), ("127.0.0.1", -1)] {
            let error = #expect(throws: UVError.self) { try serve(.port(host: host, port)) }
            #expect(error?.code == .invalidArgument, "\(host):\(port)")
        }
        let path = #expect(throws: UVError.self) { try serve(.socket(pattern: "/nowhere/app.sock")) }
        #expect(path?.code == .noSuchFileOrDirectory)
        let long = #expect(throws: UVError.self) {
            try serve(.socket(pattern: "/tmp/" + String(repeating: "a", count: 200)))
        }
        #expect(long?.code == .invalidArgument)
    }

    @Test func socket_isReplacedOnlyIfNobodyListens() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let pattern = folder.appending(path: "app-{PID}.sock").path
        let server = try serve(.socket(pattern: pattern))
        let path = try #require(server.socketPath)
        #expect(path == pattern.replacing("{PID}", with: "\(getpid())") && server.port == nil)
        try #expect(Caller(path: path).call("/healthz", host: "whatever").status == 200)
        // The user of the process needs no token.
        try #expect(Caller(path: path).call("/metrics", "POST").status == 405)
        let taken = #expect(throws: UVError.self) { try serve(.socket(pattern: pattern)) }
        #expect(taken?.code == .addressInUse)
        server.close()
        server.close()
        #expect(!FileManager.default.fileExists(atPath: path))

        // One that a process left behind.
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        try SocketAddress(unixDomainSocketPath: path).withSockAddr { _ = bind(descriptor, $0, socklen_t($1)) }
        close(descriptor)
        try #require(FileManager.default.fileExists(atPath: path))
        let next = try serve(.socket(pattern: pattern))
        try #expect(Caller(path: path).call("/healthz").status == 200)
        next.close()

        try Data("kept".utf8).write(to: URL(fileURLWithPath: path))
        #expect(throws: UVError.self) { try serve(.socket(pattern: pattern)) }
        try #expect(String(contentsOfFile: path, encoding: .utf8) == "kept")
    }
}
