import Foundation
import Logging
import ServiceLifecycle
import Testing

@testable import MonitoredUVDiagnostics

/// A server as one service of a program.
@Suite struct ServiceTests {
    @Test func server_closesWithItsGroup() async throws {
        // A port could be taken by another test at once.
        let server = try serve(.socket(pattern: "/tmp/\(UUID()).sock"))
        let caller = Caller(path: try #require(server.socketPath))
        let (started, feed) = AsyncStream.makeStream(of: Void.self)
        let group = ServiceGroup(services: [server, Started(feed: feed)], logger: Logger(label: "services"))
        async let running: Void = group.run()
        _ = await started.first { true }
        try #expect(caller.call("/healthz").status == 200)
        await group.triggerGracefulShutdown()
        try await running
        #expect(throws: (any Error).self) { try caller.connect() }
    }

    @Test func server_closesWithItsTask() async throws {
        // A port could be taken by another test at once.
        let server = try serve(.socket(pattern: "/tmp/\(UUID()).sock"))
        let caller = Caller(path: try #require(server.socketPath))
        let task = Task { try await server.run() }
        task.cancel()
        try await task.value
        #expect(throws: (any Error).self) { try caller.connect() }
    }
}

/// A service that says that its group runs.
private struct Started: Service {
    let feed: AsyncStream<Void>.Continuation

    func run() async throws {
        feed.yield()
        try await gracefulShutdown()
    }
}
