import AsyncHTTPClient
import Echo
import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import Hummingbird
import MonitoredUV
import NIOCore
import NIOMonitoring
import Synchronization
import Testing
import Web

/// Code that blocks in a handler of a framework: reported while it lasts, with loop, name, function, and cause, and with its
/// true duration afterward.
@Suite(.serialized, .timeLimit(.minutes(2))) struct StallTests {
    private let stalls = Stalls()

    @Test func hummingbirdHandler_isNamed() async throws {
        let (ports, feed) = AsyncStream.makeStream(of: Int.self)
        let server = Task {
            try await makeApplication(port: 0) { feed.yield($0) }.run()
        }
        let port = try #require(await ports.first { _ in true })
        let start = ContinuousClock.now
        let response = try await HTTPClient.shared.get(url: "http://127.0.0.1:\(port)/block").get()
        let elapsed = start.duration(to: .now)
        #expect(response.body.map { String(buffer: $0) } == "blocked")
        try await stalls.expect("GET /block", in: "Web.blockForAWhile()", of: .job, call: "usleep", atMost: elapsed)

        let metrics = try await HTTPClient.shared.get(url: "http://127.0.0.1:\(port)/metrics").get()
        let text = try #require(metrics.body.map { String(buffer: $0) })
        #expect(text.contains(#"name="GET /block""#))
        server.cancel()
        _ = await server.result
    }

    @Test func gRPCHandler_isNamed() async throws {
        let server = Echo.makeServer(port: 0)
        let serving = Task { try await server.serve() }
        let address = try #require(try await server.transport.listeningAddress.ipv4)
        try await withGRPCClient(
            transport: .http2NIOPosix(
                target: .ipv4(address: address.host, port: address.port),
                transportSecurity: .plaintext
            )
        ) { client in
            func call(_ method: MethodDescriptor, _ message: String) async throws -> String {
                try await client.unary(
                    request: ClientRequest(message: message),
                    descriptor: method,
                    serializer: TextCoder(),
                    deserializer: TextCoder(),
                    options: .defaults
                ) { try $0.message }
            }
            #expect(try await call(Echo.say, "hello") == "hello")
            let start = ContinuousClock.now
            #expect(try await call(Echo.block, "hold") == "hold")
            let elapsed = start.duration(to: .now)
            try await stalls.expect(
                "echo.Echo/Block",
                in: "Echo.blockForAWhile(_:)",
                of: .job,
                call: "usleep",
                atMost: elapsed
            )
        }
        server.beginGracefulShutdown()
        try await serving.value
    }

    @Test func delegateOfAsyncHTTPClient_isNamed() async throws {
        let (ports, feed) = AsyncStream.makeStream(of: Int.self)
        let server = Task {
            try await makeApplication(port: 0) { feed.yield($0) }.run()
        }
        let port = try #require(await ports.first { _ in true })
        let start = ContinuousClock.now
        let request = try HTTPClient.Request(url: "http://127.0.0.1:\(port)/ping")
        try await HTTPClient.shared.execute(request: request, delegate: BlockingDelegate()).get()
        let elapsed = start.duration(to: .now)
        let function = "FrameworksTests.waitInDelegate()"
        try await stalls.expect(function, in: function, of: .iteration, call: "usleep", atMost: elapsed)
        server.cancel()
        _ = await server.result
    }
}

/// Holds up the loop that its connection is on.
private final class BlockingDelegate: HTTPClientResponseDelegate {
    func didReceiveBodyPart(task: HTTPClient.Task<Void>, _ buffer: ByteBuffer) -> EventLoopFuture<Void> {
        waitInDelegate()
        return task.eventLoop.makeSucceededVoidFuture()
    }

    func didFinishRequest(task: HTTPClient.Task<Void>) {}
}

@inline(never)
private func waitInDelegate() { usleep(300_000) }

/// The reports of stalls of all loops of SwiftNIO and of Swift's executors in this process, in the order they come.
private struct Stalls {
    private let reports: AsyncStream<StallReport>
    private let subscriptions: [MonitoringSubscription]

    init() {
        let (reports, feed) = AsyncStream.makeStream(of: StallReport.self)
        self.reports = reports
        let configure: @Sendable (Monitoring) -> MonitoringSubscription? = { loop in
            loop.startWatchdog(limit: .milliseconds(50)) { feed.yield($0) }
        }
        subscriptions = [NIOLoops.monitor(configure), SwiftExecutors.monitor(configure)]
    }

    /// Waits for the reports of the beginning and of the end of a stall of the dispatch `name`.
    func expect(
        _ name: String,
        in function: String,
        of kind: CallbackKind,
        call: String,
        atMost elapsed: Duration
    ) async throws {
        let began = try #require(await reports.first { $0.phase == .began && $0.callbackName == name })
        #expect(began.kind == kind)
        #expect(began.function?.hasSuffix(function) == true, "\(began)")
        #expect(began.call == call)
        #expect(began.cause == .wait)
        #expect(began.loopName.hasPrefix(kind == .job ? "swift-" : "NIO-"))
        let ended = try #require(await reports.first { $0.phase == .ended && $0.callbackName == name })
        #expect(ended.loopName == began.loopName)
        #expect(ended.duration >= .milliseconds(300) && ended.duration <= elapsed, "\(ended.duration), \(elapsed)")
    }
}
