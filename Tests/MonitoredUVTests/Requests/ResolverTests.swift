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
                _ = try LookupRequest(loop.core, Self.site, host, 80, resolver) { result in
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
                try LookupRequest(loop.core, Self.site, "far-\(number)", 80, resolver) { _ in calls += 1 }
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
            let resolver = Resolver { _ throws(UVError) in
                true
            } ask: { host, _ in
                Issue.record("asked for \(host)")
                return .success([])
            }
            let recorder = Recorder(on: loop)
            var found: [String] = []
            var isReturned = false
            for host in ["127.0.0.1", "::1", "127.1"] {
                _ = try LookupRequest(loop.core, Self.site, host, 80, resolver) { result in
                    #expect(isReturned)
                    succeed { found += try result.get().map { "\($0.host) \($0.port)" } }
                }
            }
            let canceled = try LookupRequest(loop.core, Self.site, "::1", 80, resolver) { result in
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
            for number in 0..<3 { _ = try LookupRequest(loop.core, Self.site, "far-\(number)", 80, resolver) { _ in } }
            loop.callSoon(name: "three") {
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
        let request: LookupRequest
        weak var object: Counter?
        do {
            let loop = try UVEventLoop()
            let counter = Counter()
            object = counter
            request = try LookupRequest(loop.core, Self.site, "far", 80, server.resolver) { _ in
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
                    _ = try LookupRequest(loop.core, Self.site, "far", 80, server.resolver) { result in
                        if case .failure(let error) = result { code.withLock { $0 = error.code } }
                    }
                }
            }
        }
        #expect(code.withLock { $0 } == .canceled)
        server.answer.signal()
    }

    /// Nobody knows then whether the host is a local one.
    @Test func lookup_isAnError_whenTheHostsFileCannotBeOpened() throws {
        try withLoop { loop in
            let resolver = Resolver { _ throws(UVError) in
                throw UVError(.tooManyOpenFiles, operation: "open")
            } ask: { host, _ in
                Issue.record("asked for \(host)")
                return .success([])
            }
            var codes: [UVError.Code] = []
            _ = try LookupRequest(loop.core, Self.site, "localhost", 80, resolver) { result in
                if case .failure(let error) = result { codes.append(error.code) }
            }
            try loop.run()
            #expect(codes == [.tooManyOpenFiles])
        }
    }

    @Test func manyLookups_areCanceledInTimeThatGrowsWithTheirNumber() throws {
        try withLoop(attempts: 5) { loop in
            let server = DeafServer()
            let resolver = server.resolver
            func cancelAll(_ count: Int) throws -> Duration {
                let requests = try (0..<count).map { _ in
                    try LookupRequest(loop.core, Self.site, "far", 80, resolver) { _ in }
                }
                return ContinuousClock().measure { for request in requests { request.cancel() } }
            }
            let (few, many) = (try cancelAll(500), try cancelAll(16_000))
            try loop.run()
            for _ in 0..<64 { server.answer.signal() }
            return many < few * 200
        }
    }

    /// Completions begin new work, which the shutdown ends too.
    @Test func shutdown_endsLookupsAndTimers_thatCompletionsBegin() throws {
        let server = DeafServer()
        let resolver = server.resolver
        let calls = Counter()
        let group = try UVEventLoopGroup(count: 1)
        let loop = group.loops[0]
        loop.execute {
            succeed {
                _ = try LookupRequest(loop.core, Self.site, "far", 80, resolver) { _ in
                    calls.count()
                    succeed {
                        _ = try LookupRequest(loop.core, Self.site, "farther", 80, resolver) { _ in
                            calls.count()
                            loop.callLater(.seconds(3600)) { Issue.record("fired") }
                        }
                    }
                }
            }
        }
        while server.asked.value < 1 { usleep(100) }
        let hung = DispatchWorkItem { fatalError("the shutdown hangs") }
        DispatchQueue.global().asyncAfter(deadline: .now() + 120, execute: hung)
        group.shutdown()
        hung.cancel()
        #expect(calls.value == 2)
        for _ in 0..<2 { server.answer.signal() }
    }

    @Test func hostsFile_listsWhatHasAnAddress() {
        let names = HostsFile.names(
            in: Array(
                """
                127.0.0.1\tlocalhost Loop.Example # not.this
                # ::1 nor.this
                no-address far.example
                ::1 ip6-localhost\r
                10.0.0.1
                """.utf8
            )
        )
        func lists(_ host: String) -> Bool { names.contains(HostsFile.hash(host.utf8)) }
        for host in ["localhost", "LOCALHOST", "loop.example", "ip6-localhost"] { #expect(lists(host), "\(host)") }
        for host in ["127.0.0.1", "not.this", "nor.this", "far.example", "10.0.0.1", "local", "example", ""] {
            #expect(!lists(host), "\(host)")
        }
    }

    @Test func hostsFile_isReadAgain_whenItHasChanged() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let path = folder.appendingPathComponent("hosts")
        let file = HostsFile(path.path)
        #expect(try !file.lists("one"))
        try "10.0.0.1 one\n".write(to: path, atomically: true, encoding: .utf8)
        #expect(try file.lists("one") && !file.lists("two"))
        try "10.0.0.1 one two\n".write(to: path, atomically: true, encoding: .utf8)
        #expect(try file.lists("one") && file.lists("two"))
        try FileManager.default.removeItem(at: path)
        #expect(mkfifo(path.path, 0o600) == 0)
        #expect(try !file.lists("one"))  // and does not wait for a writer
    }
}
