import Foundation
import Testing

@testable import MonitoredUV

@Suite struct UVTCPConnectionFramingTests {
    private func withPair(
        _ body: @escaping @Sendable (_ client: UVTCPConnection, _ peer: UVTCPConnection) async throws -> Void
    ) async throws {
        try await withTasks { loop in
            let server = try await UVTCPServer.listen(host: "127.0.0.1", port: 0)
            var connections = server.connections.makeAsyncIterator()
            let client = try await UVTCPConnection.connect(host: "127.0.0.1", port: server.localAddress.port)
            let peer = try #require(try await connections.next())
            await server.close()
            try await body(client, peer)
        }
    }

    private func text(_ bytes: [UInt8]?) -> String? { bytes.map { String(decoding: $0, as: UTF8.self) } }

    @Test func exactly_takesSoMany_andLeavesTheRest() async throws {
        try await withPair { client, peer in
            try await client.write("abcdefghij")
            try await #expect(text(peer.read(exactly: 3)) == "abc")
            try await #expect(text(peer.read(exactly: 0)) == "")
            try await #expect(text(peer.read(exactly: 4)) == "defg")
            try await #expect(text(peer.read()) == "hij")
            async let late = peer.read(exactly: 6)
            for piece in ["1", "23", "456", "7"] {
                try await client.write(piece)
                try await Task.sleep(for: .milliseconds(1))
            }
            let bytes = try await late
            #expect(text(bytes) == "123456")
            try await #expect(text(peer.read()) == "7")
            await #expect(throws: UVError.self) { try await peer.read(exactly: -1) }
        }
    }

    @Test func exactly_atTheEnd_throws_andKeepsWhatCame() async throws {
        try await withPair { client, peer in
            try await client.write("abc")
            try await client.shutdown()
            let error = await #expect(throws: UVError.self) { try await peer.read(exactly: 4) }
            #expect(error?.code == .endOfFile)
            try await #expect(text(peer.read(exactly: 2)) == "ab")
            try await #expect(text(peer.read()) == "c")
            try await #expect(peer.read() == nil)
            await #expect(throws: UVError.self) { try await peer.read(exactly: 1) }
        }
    }

    /// Canceled in the middle: what came is there for the next one.
    @Test func exactly_canceled_losesNothing() async throws {
        try await withPair { client, peer in
            let reading = Task(executorPreference: peer.loop) { try await peer.read(exactly: 100) }
            try await client.write("abc")
            while peer.state.reader == nil { await Task.yield() }
            for _ in 0..<100 { await Task.yield() }
            reading.cancel()
            await #expect(throws: CancellationError.self) { try await reading.value }
            try await client.write("def")
            try await #expect(text(peer.read(exactly: 6)) == "abcdef")
        }
    }

    @Test func until_findsItsDelimiter_howeverTheBytesCome() async throws {
        try await withPair { client, peer in
            try await client.write("one\r\ntwo\r\n\r\nhal")
            try await #expect(text(peer.read(until: "\r\n")) == "one\r\n")
            try await #expect(text(peer.read(until: "\r\n\r\n")) == "two\r\n\r\n")
            async let split = peer.read(until: "\r\n")
            for piece in ["f\r", "\r", "\n!"] {
                try await client.write(piece)
                try await Task.sleep(for: .milliseconds(1))
            }
            let bytes = try await split
            #expect(text(bytes) == "half\r\r\n")
            try await client.shutdown()
            let error = await #expect(throws: UVError.self) { try await peer.read(until: "\r\n") }
            #expect(error?.code == .endOfFile)
            try await #expect(text(peer.read()) == "!")
            try await #expect(peer.read(until: "\r\n") == nil)
        }
    }

    @Test func until_beyondItsLimit_throws_andKeepsWhatCame() async throws {
        try await withPair { client, peer in
            try await client.write("abcdef\n")
            while try await peer.read(until: "\n", limit: 7) != Array("abcdef\n".utf8) {}
            try await client.write("abcdef\n")
            let error = await #expect(throws: UVError.self) { try await peer.read(until: "\n", limit: 6) }
            #expect(error?.code == .messageTooLong)
            try await #expect(text(peer.read(until: "\n")) == "abcdef\n")
            await #expect(throws: UVError.self) { try await peer.read(until: [UInt8]()) }
            await #expect(throws: UVError.self) { try await peer.read(until: "\r\n", limit: 1) }
        }
    }

    /// In bytes, one after the other, from another thread: a search that began anew each time would take minutes.
    @Test func until_searchesEachByteOnce() async throws {
        try await withPair { client, peer in
            let count = 300_000
            try await withThrowingTaskGroup { group in
                group.addTask {
                    try await client.write([UInt8](repeating: 7, count: count))
                    try await client.write("\n")
                }
                let bytes = try await peer.read(until: "\n", limit: 1 << 20)
                #expect(bytes?.count == count + 1)
                try await group.waitForAll()
            }
        }
    }

    /// The rest of a large piece is not copied for each line: four times as many lines take four times as long.
    @Test func shortLines_costTheSame_howeverManyCome() async throws {
        try await withPair { client, peer in
            func read(_ count: Int) async throws -> Duration {
                async let writing: Void = client.write([UInt8](repeating: UInt8(ascii: "\n"), count: count))
                let start = ContinuousClock.now
                var lines = peer.lines().makeAsyncIterator()
                for _ in 0..<count { _ = try await lines.next() }
                try await writing
                return ContinuousClock.now - start
            }
            var isLinear = false
            for _ in 0..<5 where !isLinear {
                let (few, many) = (try await read(4000), try await read(64_000))
                isLinear = many < few * 64
            }
            #expect(isLinear)
        }
    }

    @Test func lines_comeWithoutTheirEnds_andTheLastNeedsNone() async throws {
        try await withPair { client, peer in
            try await client.write("first\nsecond\r\n\n\r\nfünf\u{0}x\nlast")
            try await client.shutdown()
            var lines: [String] = []
            for try await line in peer.lines() { lines.append(line) }
            #expect(lines == ["first", "second", "", "", "fünf\u{0}x", "last"])
            try await peer.write("0123456789\n")
            var long = client.lines(limit: 8).makeAsyncIterator()
            await #expect(throws: UVError.self) { try await long.next() }
        }
    }

    /// From a task on another thread, where each step goes through the loop.
    @Test func framing_worksOffTheLoop() async throws {
        try await withPair { client, peer in
            try await client.write("ab\ncd")
            try await Task.detached {
                try await #expect(peer.read(exactly: 1) == [UInt8(ascii: "a")])
                try await #expect(peer.read(until: "\n") == Array("b\n".utf8))
                try await #expect(peer.read(exactly: 2) == Array("cd".utf8))
                try await peer.write(vectored: [[1], [], [2, 3]])
                try await peer.write(Data([4]))
                let bytes: [UInt8] = [5, 6]
                try await peer.write(bytes.span.bytes)
            }.value
            try await #expect(client.read(exactly: 6) == [1, 2, 3, 4, 5, 6])
        }
    }

    @Test func allKindsOfBytes_canBeWritten_alsoMoreThanTheKernelTakes() async throws {
        try await withPair { client, peer in
            let large = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0) }
            try await withThrowingTaskGroup { group in
                group.addTask {
                    try await client.write(large[1000...])
                    try await client.write(Data(large.prefix(1000)))
                    try await client.write(large.span.bytes)
                    try await client.write(vectored: [Array(large.prefix(10)), [], large])
                    try await client.shutdown()
                }
                var all: [UInt8] = []
                for try await bytes in peer.inbound { all += bytes }
                #expect(all == large[1000...] + large.prefix(1000) + large + large.prefix(10) + large)
                try await group.waitForAll()
            }
        }
    }

    @Test func lentBytes_canBeAppended() {
        var bytes: [UInt8] = [1]
        let more: [UInt8] = [2, 3]
        bytes.append(uvBytes: more.span.bytes)
        #expect(bytes == [1, 2, 3])
    }
}
