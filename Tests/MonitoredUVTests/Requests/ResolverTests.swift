import Dispatch
import Foundation
import Synchronization
import Testing

@testable import MonitoredUV

/// With name servers that never answer, or not until told to.
@Suite struct ResolverTests {
    /// A resolver for which all hosts but `localhost` are far, and whose far answers wait for ``answer``.
    private final class DeafServer: Sendable {
        let asked = Counter()
        let answer = DispatchSemaphore(value: 0)
        let now = Counter()
        let most = Atomic<Int>(0)

        var resolver: Resolver {
            Resolver {
                $0 == "localhost"
            } ask: { [self] host, port in
                if host != "localhost" {
                    asked.count()
                    answer.wait()
                }
                return SystemResolver.addresses(of: "127.0.0.1", port: port)
            }
        }
    }

    private static let site = CallSite(named: "test")

    @Test func localhost_doesNotWait_forHostsThatNeedAServer() throws {
        try withLoop { loop in
            let server = DeafServer()
            let resolver = server.resolver
            var order: [String] = []
            func look(up host: String) throws {
                _ = try UVGetAddrInfo(loop.core, Self.site, host, 80, resolver) { result in
                    order.append(host)
                    #expect(throws: Never.self) { try #require(try result.get().first?.port == 80) }
                    if host == "localhost" { for _ in 0..<40 { server.answer.signal() } }
                }
            }
            for number in 0..<40 { try look(up: "far-\(number)") }
            try look(up: "localhost")
            try loop.run()
            #expect(order.first == "localhost")
            #expect(order.count == 41)
            #expect(server.asked.value == 40)
        }
    }

    @Test func slowHosts_areAskedForAtTheSameTime_upToALimit() throws {
        try withLoop { loop in
            let server = DeafServer()
            let resolver = server.resolver
            var calls = 0
            let requests = try (0..<30).map { number in
                try UVGetAddrInfo(loop.core, Self.site, "far-\(number)", 80, resolver) { _ in calls += 1 }
            }
            while server.asked.value < 16 { usleep(100) }
            for request in requests.reversed() { request.cancel() }  // those that wait first
            try loop.run()  // though 16 threads still ask
            #expect(calls == 30)
            #expect(server.asked.value == 16)
            for _ in 0..<16 { server.answer.signal() }
        }
    }

    @Test func numericHosts_areAnsweredWithoutAThread() throws {
        try withLoop { loop in
            let resolver = Resolver { _ in
                true
            } ask: { host, _ in
                Issue.record("asked for \(host)")
                return .success([])
            }
            let recorder = Recorder(on: loop)
            var found: [String] = []
            var isReturned = false
            for host in ["127.0.0.1", "::1", "127.1"] {
                _ = try UVGetAddrInfo(loop.core, Self.site, host, 80, resolver) { result in
                    #expect(isReturned)
                    succeed { found += try result.get().map { "\($0.host) \($0.port)" } }
                }
            }
            let canceled = try UVGetAddrInfo(loop.core, Self.site, "::1", 80, resolver) { result in
                #expect(throws: UVError.self) { try result.get() }
                found.append("canceled")
            }
            canceled.cancel()
            isReturned = true
            try loop.run()
            #expect(found == ["127.0.0.1 80", "::1 80", "127.0.0.1 80", "canceled"])
            #expect(recorder.of(.getaddrinfo).map(\.loopHandlesCount) == [3, 2, 1, 0])
        }
    }

    @Test func loopHolds_eachLookupOnce() throws {
        try withLoop { loop in
            let server = DeafServer()
            let resolver = server.resolver
            let recorder = Recorder(on: loop)
            for number in 0..<3 { _ = try UVGetAddrInfo(loop.core, Self.site, "far-\(number)", 80, resolver) { _ in } }
            loop.callSoon("three") {
                #expect(loop.monitoring.snapshot().requests == ["getaddrinfo": 3])
                for _ in 0..<3 { server.answer.signal() }
            }
            try loop.run()
            #expect(recorder.named("three").map(\.loopHandlesCount) == [3])
            let ends = recorder.of(.getaddrinfo)
            #expect(ends.map(\.loopHandlesCount) == [2, 1, 0])
            #expect(ends.allSatisfy { $0.isLoopLagExact && $0.callbackPrettyName == "test" })
        }
    }

    @Test func releasedLoop_doesNotWait_andCallsNobody() throws {
        let server = DeafServer()
        var isCalled = false
        let request: UVGetAddrInfo
        weak var object: Counter?
        do {
            let loop = try UVEventLoop()
            let counter = Counter()
            object = counter
            request = try UVGetAddrInfo(loop.core, Self.site, "far", 80, server.resolver) { _ in
                isCalled = true
                counter.count()
            }
            while server.asked.value < 1 { usleep(100) }
        }
        #expect(object == nil)
        request.cancel()
        server.answer.signal()
        #expect(!isCalled)
    }

    @Test func shutdown_endsLookups_thatNobodyAnswers() throws {
        let server = DeafServer()
        let code = Lock<UVError.Code?>(nil)
        try onOtherThread {
            succeed {
                try UVEventLoop.run {
                    let loop = UVEventLoop.current!
                    _ = try UVGetAddrInfo(loop.core, Self.site, "far", 80, server.resolver) { result in
                        if case .failure(let error) = result { code.withLock { $0 = error.code } }
                    }
                }
            }
        }
        #expect(code.withLock { $0 } == .canceled)
        server.answer.signal()
    }

    @Test func hostsFile_isReadAsTheSystemReadsIt() {
        let file = Array(
            """
            127.0.0.1\tlocalhost Loop.Example # not.this
            # ::1 nor.this
            ::1 ip6-localhost\r
            10.0.0.1
            """.utf8
        )
        for host in ["localhost", "LOCALHOST", "loop.example", "ip6-localhost"] {
            #expect(HostsFile.lists(host, in: file), "\(host)")
        }
        for host in ["127.0.0.1", "not.this", "nor.this", "10.0.0.1", "local", "example", ""] {
            #expect(!HostsFile.lists(host, in: file), "\(host)")
        }
    }
}
