import Foundation
import Testing

@testable import MonitoredUV

@Suite struct UVTCPConnectionTests {
    @Test func keepAlive_isSetAndEnds() async throws {
        try await withTasks { loop in
            let server = try await UVTCPServer.listen(host: "127.0.0.1", port: 0)
            let client = try await UVTCPConnection.connect(host: "127.0.0.1", port: server.localAddress.port)
            func isAlive() throws -> Bool {
                var (value, size) = (Int32(0), socklen_t(MemoryLayout<Int32>.size))
                try #require(
                    getsockopt(client.state.tcp.fileDescriptor(), SOL_SOCKET, SO_KEEPALIVE, &value, &size) == 0
                )
                return value != 0
            }
            #expect(try !isAlive())
            try await client.setKeepAlive(.seconds(30))
            #expect(try isAlive())
            try await client.setKeepAlive(nil)
            #expect(try !isAlive())
            let error = await #expect(throws: UVError.self) { try await client.setKeepAlive(.seconds(-1)) }
            #expect(error?.code == .invalidArgument)
            await client.close()
            let closed = await #expect(throws: UVError.self) { try await client.setKeepAlive(.seconds(30)) }
            #expect(closed?.code == .badFileDescriptor)
        }
    }

    /// A few bytes that are put back do not keep the memory of those that were taken with them.
    @Test func bytesThatArePutBack_keepNoMoreThanThemselves() async throws {
        try await withTasks { loop in
            let server = try await UVTCPServer.listen(host: "127.0.0.1", port: 0)
            let client = try await UVTCPConnection.connect(host: "127.0.0.1", port: server.localAddress.port)
            let many = [UInt8](0...255) + [UInt8](repeating: 7, count: 1 << 20)
            client.state.putBack(many.suffix(3))
            let rest = try #require(client.state.takeSlice())
            #expect(Array(rest) == [7, 7, 7])
            #expect(rest.endIndex == 3)
            client.state.putBack(many.prefix(2))
            client.state.putBack(many.dropFirst(5))
            #expect(try #require(client.state.takeSlice()).count == many.count - 5 + 2)
        }
    }

    /// Both ends of a connection.
    private func withPair(
        _ body:
            @escaping @Sendable (UVEventLoop, _ client: UVTCPConnection, _ peer: UVTCPConnection) async throws -> Void
    ) async throws {
        try await withTasks { loop in
            let server = try await UVTCPServer.listen(host: "127.0.0.1", port: 0)
            var connections = server.connections.makeAsyncIterator()
            let client = try await UVTCPConnection.connect(host: "127.0.0.1", port: server.localAddress.port)
            let peer = try #require(try await connections.next())
            await server.close()
            try await body(loop, client, peer)
        }
    }

    private func isWaitedFor(_ connection: UVTCPConnection) -> Bool { connection.state.reader != nil }

    private func text(_ bytes: [UInt8]?) -> String? { bytes.map { String(decoding: $0, as: UTF8.self) } }

    @Test func bytesGoBothWays_andAnEndOfOneSideLeavesTheOtherOpen() async throws {
        try await withPair { loop, client, peer in
            #expect(client.remoteAddress == peer.localAddress)
            try await client.write("ping")
            try await #expect(text(peer.read()) == "ping")
            try await client.shutdown()
            try await #expect(peer.read() == nil)
            try await #expect(peer.read() == nil)
            try await peer.write("still here")
            try await #expect(text(client.read()) == "still here")
            await peer.close()
            try await #expect(client.read() == nil)
            #expect(isOn(loop))
        }
    }

    @Test func smallWritesGoOutAtOnce_onBothEnds() async throws {
        try await withPair { _, client, peer in
            for end in [client, peer] {
                var (isOn, size) = (Int32(0), socklen_t(MemoryLayout<Int32>.size))
                let status = getsockopt(
                    try end.state.tcp.fileDescriptor(),
                    Int32(IPPROTO_TCP),
                    TCP_NODELAY,
                    &isOn,
                    &size
                )
                #expect(status == 0 && isOn != 0)
            }
        }
    }

    @Test func aLoopOverInboundEndsWithThePeersSide_andAnotherGoesOnWhereTheFirstBrokeOff()
        async throws
    {
        try await withPair { _, client, peer in
            try await client.write("one")
            for try await bytes in peer.inbound {
                #expect(text(bytes) == "one")
                break
            }
            try await client.write("two")
            try await client.shutdown()
            var rest: [UInt8] = []
            for try await bytes in peer.inbound { rest += bytes }
            #expect(text(rest) == "two")
        }
    }

    @Test func aResetFailsTheReaderOnceTheBytesBeforeItAreTaken() async throws {
        try await withPair { loop, client, peer in
            try await LoopOperation<Void>.wait(on: loop, "test") { operation in
                succeed { try peer.state.tcp.closeReset { operation.resume(returning: ()) } }
            }
            let error = await #expect(throws: UVError.self) { try await client.read() }
            #expect(error?.code == .connectionReset)
            await #expect(throws: UVError.self) { while true { try await client.write("x") } }
        }
    }

    @Test func nobodyReads_soReadingStopsAndTheWriterHasToWait() async throws {
        try await withPair { loop, client, peer in
            let piece = [UInt8](repeating: 7, count: 100_000)
            let (written, limit) = (Box(0), 400)
            let writing = Task(executorPreference: loop) {
                for _ in 0..<limit {
                    try await client.write(piece)
                    written.value += 1
                }
                try await client.shutdown()
            }
            var received = try #require(try await peer.read()).count  // reading has begun
            // Until nothing moves any more.
            var before = -1
            while before != written.value {
                before = written.value
                try await loop.sleep(for: .milliseconds(30))
            }
            #expect(written.value < limit)
            for try await bytes in peer.inbound { received += bytes.count }
            try await writing.value
            #expect(received == piece.count * limit)
        }
    }

    @Test func twoTasksThatReadAtOnceAreTold() async throws {
        try await withPair { loop, client, peer in
            async let first = client.read()
            await Task.yield()
            let error = await #expect(throws: UVError.self) { _ = try await client.read() }
            #expect(error?.code == .alreadyInProgress)
            try await peer.write("for the first")
            try await #expect(text(first) == "for the first")
        }
    }

    @Test func aCancelledReaderLosesNothing() async throws {
        try await withPair { loop, client, peer in
            let reading = Task(executorPreference: loop) { try await client.read() }
            while !isWaitedFor(client) { await Task.yield() }
            reading.cancel()
            await #expect(throws: CancellationError.self) { try await reading.value }
            try await peer.write("later")
            try await #expect(text(client.read()) == "later")
        }
    }

    @Test func cancellingAWriterThatWaitsClosesTheConnection() async throws {
        try await withPair { loop, client, peer in
            let writing = Task(executorPreference: loop) {
                while true { try await client.write([UInt8](repeating: 0, count: 1_000_000)) }
            }
            while loop.core.uv.pointee.active_reqs.count == 0 { await Task.yield() }
            writing.cancel()
            await #expect(throws: CancellationError.self) { try await writing.value }
            let error = await #expect(throws: UVError.self) { try await client.write("x") }
            #expect(error?.code == .badFileDescriptor)
        }
    }

    @Test func finishingInACancelledTaskClosesTheConnection() async throws {
        try await withPair { loop, client, peer in
            let finishing = Task(executorPreference: loop) {
                withUnsafeCurrentTask { $0?.cancel() }
                try await client.shutdown()
            }
            await #expect(throws: CancellationError.self) { try await finishing.value }
            try await #expect(peer.read() == nil)
            await #expect(throws: UVError.self) { try await client.write("x") }
        }
    }

    /// An orderly end would make a part look like all of it.
    @Test func canceledWrite_resetsTheConnection() async throws {
        try await withPair { loop, client, peer in
            let bytes = [UInt8](repeating: 0, count: 50_000_000)
            let writing = Task(executorPreference: loop) { try await client.write(bytes) }
            while loop.core.uv.pointee.active_reqs.count == 0 { await Task.yield() }
            writing.cancel()
            await #expect(throws: CancellationError.self) { try await writing.value }
            let error = await #expect(throws: UVError.self) { while try await peer.read() != nil {} }
            #expect(error?.code == .connectionReset)
        }
    }

    @Test func closingEndsWhoeverReadsOrWrites_andMayBeDoneTwice() async throws {
        try await withPair { loop, client, peer in
            let reading = Task(executorPreference: loop) { try await client.read() }
            let writing = Task(executorPreference: loop) {
                while true { try await client.write([UInt8](repeating: 0, count: 1_000_000)) }
            }
            while loop.core.uv.pointee.active_reqs.count == 0 || !isWaitedFor(client) { await Task.yield() }
            await client.close()
            await client.close()
            try await #expect(reading.value == nil)
            let error = await #expect(throws: UVError.self) { try await writing.value }
            #expect(error.map { [.canceled, .badFileDescriptor].contains($0.code) } == true)
            try await #expect(client.read() == nil)
            await #expect(throws: UVError.self) { try await client.shutdown() }
            await peer.close()
        }
    }

    @Test func aConnectionClosesWithItsLastReference_alsoOffItsLoop() async throws {
        try await withTasks { loop in
            let server = try await UVTCPServer.listen(host: "127.0.0.1", port: 0)
            let port = server.localAddress.port
            var connections = server.connections.makeAsyncIterator()
            func leave(byError: Bool) async throws {
                let client = try await UVTCPConnection.connect(host: "127.0.0.1", port: port)
                try await client.write("x")
                if byError { throw CancellationError() }
            }
            try await leave(byError: false)
            try? await leave(byError: true)
            try await Task.detached { _ = try await UVTCPConnection.connect(host: "127.0.0.1", port: port, on: loop) }
                .value
            for _ in 0..<3 {
                let peer = try #require(try await connections.next())
                while try await peer.read() != nil {}
            }
        }
    }

    @Test func executeThenCloseClosesAfterAValueAndAfterAnError_whoeverHoldsTheConnection() async throws {
        try await withPair { _, client, peer in
            try await #expect(client.executeThenClose { _ in 3 } == 3)
            try await #expect(peer.read() == nil)
            await #expect(throws: CancellationError.self) {
                try await peer.executeThenClose { _ in throw CancellationError() }
            }
            await #expect(throws: UVError.self) { try await peer.write("x") }
        }
    }

    @Test func aConnectionCanBeUsedFromTasksOfOtherExecutors() async throws {
        try await withPair { loop, client, peer in
            await Task.detached {
                do {
                    try await client.write([UInt8](repeating: 1, count: 3_000_000))
                    try await client.shutdown()
                } catch { Issue.record(error) }
            }.valueWhile {
                var count = 0
                for try await bytes in peer.inbound { count += bytes.count }
                #expect(count == 3_000_000)
            }
            #expect(isOn(loop))
        }
    }

    /// Its kernel always has room for more, so the writer never has to wait; others get their turns all the same.
    @Test func aTaskThatNeverHasToWait_givesWayToOthers() async throws {
        let piece = [UInt8](repeating: 7, count: 200)
        let pieces = 40_000
        let states = try await withTasks(monitored: true) { loop in
            let ticker = Task(executorPreference: loop) {
                while !Task.isCancelled { try? await loop.sleep(for: .milliseconds(1)) }
            }
            defer { ticker.cancel() }
            let server = try await UVTCPServer.listen(host: "127.0.0.1", port: 0)
            let (sockets, give) = AsyncStream.makeStream(of: Int32.self)
            async let serving: Void = server.serve { connection in
                // A thread reads all there is, as fast as it can.
                var descriptors = sockets.makeAsyncIterator()
                let descriptor = await descriptors.next()!
                let reader = try LoopThread(name: "reader") { readToTheEnd(descriptor) }
                try await Task(name: "writer", executorPreference: loop) {
                    for _ in 0..<pieces { try await connection.write(piece) }
                }.value
                await connection.close()
                reader.join()
            }
            let address = server.localAddress
            let client = socket(AF_INET, streamSocketType, 0)
            #expect(address.withSockaddr { connect(client, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) } == 0)
            give.yield(client)
            try await Task.sleep(for: .milliseconds(1))
            await server.close()
            try await serving
            close(client)
        }
        let parts = states.filter { $0.callbackPrettyName == "writer" }
        #expect(parts.count >= piece.count * pieces / JobBudget.bytes)
        // Nor do its parts run one after the other: there is a poll, and others, in between.
        let runs = states.split { $0.callbackPrettyName != "writer" }.map(\.count)
        #expect(runs.max() ?? 0 <= 8)
    }

    /// A write that is too large for the kernel at once stays together, whoever writes meanwhile.
    @Test func largeWrites_areNotTakenApart_andKeepTheirOrder() async throws {
        try await withPair { _, client, server in
            let large = [UInt8](repeating: 1, count: 8 << 20)
            let small = [UInt8](repeating: 2, count: 1000)
            let writing = Task(executorPreference: client.loop) { try await client.write(large) }
            let following = Task(executorPreference: client.loop) { try await client.write(small) }
            var received: [UInt8] = []
            while received.count < large.count + small.count {
                received += try #require(try await server.read())
            }
            try await writing.value
            try await following.value
            #expect(received.firstIndex(of: 2) == large.count)
        }
    }

    /// Nor does one that only fails at once, or finds the end.
    @Test func aTaskThatOnlyFails_givesWayToOthers() async throws {
        let states = try await withTasks(monitored: true) { loop in
            let server = try await UVTCPServer.listen(host: "127.0.0.1", port: 0)
            let connection = try await UVTCPConnection.connect(host: "127.0.0.1", port: server.localAddress.port)
            await connection.close()
            let failing = Task(name: "failing", executorPreference: loop) {
                while !Task.isCancelled { do { try await connection.write("x") } catch {} }
            }
            let reading = Task(name: "reading", executorPreference: loop) {
                while !Task.isCancelled { _ = try? await connection.read() }
            }
            // The timer would not come to its call.
            try await Task.sleep(for: .milliseconds(20))
            failing.cancel()
            reading.cancel()
            await failing.value
            await reading.value
            await server.close()
        }
        for name in ["failing", "reading"] {
            #expect(states.filter { $0.callbackPrettyName == name }.count > 2, "\(name)")
        }
    }

    @Test func connectingFailsWithTheReason_andEndsWithItsTask() async throws {
        try await withTasks { loop in
            let refused = Box(0)
            try await LoopOperation<Void>.wait(on: loop, "test") { operation in
                succeed {
                    let socket = try UVTCP(on: loop)
                    try socket.bind(to: loopback)
                    refused.value = try socket.localAddress().port
                    socket.close { operation.resume(returning: ()) }
                }
            }
            let port = refused.value
            let error = await #expect(throws: UVError.self) {
                try await UVTCPConnection.connect(host: "127.0.0.1", port: port)
            }
            #expect(error?.code == .connectionRefused)
            await #expect(throws: UVError.self) {
                try await UVTCPConnection.connect(host: "no.such.host.invalid", port: 1)
            }
            let outside = await Task.detached {
                await #expect(throws: UVError.self) { try await UVTCPConnection.connect(host: "127.0.0.1", port: port) }
            }.value
            #expect(outside?.detail?.contains("on:") == true)
            // A server whose queue is full leaves connects waiting.
            let server = try await UVTCPServer.listen(host: "127.0.0.1", port: 0)
            let address = server.localAddress
            let cancelled = Task(executorPreference: loop) {
                withUnsafeCurrentTask { $0?.cancel() }
                _ = try await UVTCPConnection.connect(host: address.host, port: address.port)
            }
            await #expect(throws: CancellationError.self) { try await cancelled.value }
            let connecting = (0..<20).map { _ in
                Task(executorPreference: loop) {
                    _ = try await UVTCPConnection.connect(host: address.host, port: address.port)
                }
            }
            await Task.yield()
            for task in connecting { task.cancel() }
            for task in connecting {
                do { try await task.value } catch { #expect(error is CancellationError) }
            }
        }
    }
}

extension Task where Success == Void, Failure == Never {
    /// Runs `body` while the task goes on, then waits for it.
    fileprivate func valueWhile(_ body: () async throws -> Void) async {
        do { try await body() } catch { Issue.record(error) }
        await value
    }
}

private func readToTheEnd(_ descriptor: Int32) {
    withUnsafeTemporaryAllocation(byteCount: 1 << 18, alignment: 16) { buffer in
        while read(descriptor, buffer.baseAddress, buffer.count) > 0 {}
    }
}
