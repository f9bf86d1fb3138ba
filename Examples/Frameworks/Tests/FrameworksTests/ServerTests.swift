import AsyncHTTPClient
import Foundation
import NIOCore
import Testing

/// The two web servers as programs: they tell of the route that blocks, and end on SIGTERM after what is under way.
@Suite(.serialized, .timeLimit(.minutes(2))) struct ServerTests {
    @Test(arguments: ["HummingbirdServer", "HummingbirdOnLoops"])
    func server_namesTheRouteThatBlocks_andEndsGracefully(_ name: String) async throws {
        let server = try await Server(name)
        defer { server.kill() }
        #expect(try await server.get("block") == "blocked")
        try await server.waitForLog("GET /block (job)", "Web.blockForAWhile(), blocked in usleep")
        #expect(try await server.get("items/7") == "item 7")
        let metrics = try await server.get("metrics")
        for name in ["GET /block", "GET /items/{id}"] { #expect(metrics.contains("name=\"\(name)\""), "\(name)") }

        async let waited = server.get("wait")
        while !(try await server.get("metrics").contains("name=\"GET /wait\"")) {}
        #expect(try await server.terminate() == 0)
        #expect(try await waited == "waited")
    }
}

/// A program of this package that serves HTTP on a port that it logs.
private final class Server: Sendable {
    private let process = Process()
    private let log: URL
    private let port: Int

    init(_ name: String) async throws {
        // Beside the bundle of the tests, or above it.
        let bundle = try #require(CommandLine.arguments.first { $0.contains(".xctest") })
        let folders = sequence(first: URL(fileURLWithPath: bundle)) {
            $0.path == "/" ? nil : $0.deletingLastPathComponent()
        }
        let program: URL = try #require(
            folders.map { $0.appending(path: name) }.first { FileManager.default.isExecutableFile(atPath: $0.path) }
        )
        process.executableURL = program
        log = FileManager.default.temporaryDirectory.appending(path: "\(UUID()).log")
        try Data().write(to: log)
        process.standardError = try FileHandle(forWritingTo: log)
        process.standardOutput = process.standardError
        process.arguments = ["--port", "0"]
        try process.run()
        port = try await Self.port(in: log)
    }

    private static func port(in log: URL) async throws -> Int {
        while true {
            let text = try String(contentsOf: log, encoding: .utf8)
            if let match = text.firstMatch(of: /listening on 127\.0\.0\.1:(\d+)/) { return Int(match.1)! }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    func get(_ path: String) async throws -> String {
        let response = try await HTTPClient.shared.get(url: "http://127.0.0.1:\(port)/\(path)").get()
        return response.body.map { String(buffer: $0) } ?? ""
    }

    /// Waits until the log has all the parts.
    func waitForLog(_ parts: String...) async throws {
        while !parts.allSatisfy(try String(contentsOf: log, encoding: .utf8).contains) {
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    func terminate() async throws -> Int32 {
        process.terminate()
        while process.isRunning { try await Task.sleep(for: .milliseconds(10)) }
        return process.terminationStatus
    }

    func kill() {
        if process.isRunning { Glibc.kill(process.processIdentifier, SIGKILL) }
        try? FileManager.default.removeItem(at: log)
    }
}
