import CTestPolls
import Dispatch
import Foundation
import FoundationNetworking
import MonitoredUV
import NIOMonitoring
import Testing

/// Other code that polls in a program with watched loops behaves as without them.
@Suite struct TransparencyTests {
    init() { NIOLoops.monitor { _ in nil } }

    @Test func polls_haveTheirResults() { #expect(test_poll_results() == 0) }

    @Test func polls_haveTheirErrors() { #expect(test_poll_errors() == 0) }

    /// A loop's own code may poll something else.
    @Test func polls_onALoop_areAsElsewhere() throws {
        try withWatchedGroup { watched in
            for _ in 0..<3 {
                let lines = try watched.loop.submit { [test_poll_results(), test_poll_errors()] }.wait()
                #expect(lines == [0, 0])
            }
            #expect(watched.monitorings.count == 1)
        }
    }

    /// Signals that interrupt a loop's poll begin no iterations, and the loop goes on.
    @Test func loop_goesOn_whenSignalsInterruptItsPoll() throws {
        try withWatchedGroup { watched in
            let loop = watched.loop
            let thread = try loop.submit { pthread_self() }.wait()
            let monitoring = try #require(watched.monitorings.first)
            let before = monitoring.snapshot().iterations.count
            let count = test_interrupt_thread(thread, 100)
            #expect(count == 0)
            try loop.submit {}.wait()
            #expect(monitoring.snapshot().iterations.count - before < 50)
        }
    }

    @Test func polls_areInterruptedBySignals() { #expect(test_poll_interruption() == 0) }

    /// Thread Sanitizer ends the process when a thread is canceled in a call of its own.
    @Test(.enabled(if: dlsym(nil, "__tsan_init") == nil))
    func pollingThread_canBeCanceled() { #expect(test_poll_cancellation() == 0) }

    @Test func dispatch_goesOn() async throws {
        let queue = DispatchQueue(label: "transparency")
        let (readEnd, writeEnd) = try pipe()
        defer { [readEnd, writeEnd].forEach { close($0) } }
        let source = DispatchSource.makeReadSource(fileDescriptor: readEnd, queue: queue)
        let left = Lock(1000)
        await withCheckedContinuation { (waiter: CheckedContinuation<Void, Never>) in
            source.setEventHandler {
                var byte: UInt8 = 0
                _ = read(readEnd, &byte, 1)
                let isLast = left.withLock { left in
                    left -= 1
                    return left == 0
                }
                if isLast { source.cancel() } else { _ = write(writeEnd, &byte, 1) }
            }
            source.setCancelHandler { waiter.resume() }
            source.resume()
            var byte: UInt8 = 0
            _ = write(writeEnd, &byte, 1)
        }
        #expect(left.withLock { $0 } == 0)
    }

    /// A server on libuv, and a client on curl's multi interface, for whose sockets Dispatch waits. Address Sanitizer finds
    /// that Foundation leaks a few strings for each request.
    @Test(.enabled(if: dlsym(nil, "__asan_init") == nil))
    func libuvAndCurl_goOn() async throws {
        try await UVEventLoopGroup.withGroup(count: 1) { group in
            let server = try await UVTCPServer.listen(host: "127.0.0.1", port: 0, on: group.loops[0])
            let url = try #require(URL(string: "http://127.0.0.1:\(server.localAddress.port)/"))
            let serving = Task {
                try await server.serve { connection in
                    while try await connection.read(until: "\r\n\r\n") != nil {
                        try await connection.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                    }
                }
            }
            let session = URLSession(configuration: .ephemeral)
            for _ in 0..<1000 {
                let (data, _) = try await session.data(from: url)
                #expect(data == Data("ok".utf8))
            }
            session.invalidateAndCancel()
            await server.close(gracePeriod: .zero)
            _ = await serving.result
        }
    }

    private func pipe() throws -> (Int32, Int32) {
        var ends: [Int32] = [-1, -1]
        try #require(Foundation.pipe(&ends) == 0)
        return (ends[0], ends[1])
    }
}
