import Foundation
import MonitoredUV
import Testing

@testable import Demo

/// Server and clients on one loop. Whatever clients send, the server answers others, and keeps nothing of those that
/// went.
@Suite struct DemoServerTests {
    /// Runs `body` with a server, and ends when all of its clients have gone.
    private func withServer(
        sourceLocation: SourceLocation = #_sourceLocation,
        _ body: (UVEventLoop, DemoServer) throws -> Void
    ) throws {
        let hung = DispatchWorkItem { fatalError("the test at \(sourceLocation) hangs") }
        DispatchQueue.global().asyncAfter(deadline: .now() + 120, execute: hung)
        defer { hung.cancel() }
        let loop = try UVEventLoop()
        let server = try DemoServer(on: loop, port: 0)
        try body(loop, server)
        #expect(server.connectionCount == 0)
        server.close()
        try loop.run()
        try loop.close()
    }

    /// A client that keeps what it is answered.
    private final class Client {
        let socket: UVTCP
        private(set) var answers: [UInt8] = []
        private(set) var lineCount = 0
        private(set) var hasEnded = false
        var lines: [Substring] { String(decoding: answers, as: UTF8.self).split(separator: "\n") }
        var onAnswer: () -> Void = {}

        init(on loop: UVEventLoop, _ server: DemoServer, _ onConnected: @escaping (Client) throws -> Void) throws {
            socket = try UVTCP(on: loop)
            try socket.connect(to: server.address) { [self] error in
                #expect(error == nil)
                #expect(throws: Never.self) { try onConnected(self) }
            }
        }

        func read() throws {
            try socket.startReading { [self] bytes in
                bytes.withUnsafeBytes {
                    answers.append(contentsOf: $0)
                    lineCount += $0.count { $0 == UInt8(ascii: "\n") }
                }
                onAnswer()
            } onEnd: { [self] _ in
                hasEnded = true
                socket.close()
            }
        }

        /// Writes all of it, whatever becomes of it.
        func write(_ bytes: [UInt8]) { try? socket.write(bytes) { _ in } }
        func write(_ text: String) { write(Array(text.utf8)) }
    }

    private func run(_ loop: UVEventLoop, until isDone: () -> Bool) throws {
        while !isDone() { try loop.run(.once) }
    }

    /// Whether another client is answered.
    private func ping(_ loop: UVEventLoop, _ server: DemoServer) throws {
        let client = try Client(on: loop, server) { client in
            try client.read()
            client.write("ping\n")
        }
        client.onAnswer = { client.socket.close() }
        try run(loop) { client.socket.isClosing }
        #expect(client.lines == ["pong"])
    }

    @Test func requests_areAnswered_howeverTheyAreCut() throws {
        let text = "ping\r\nslow\n\n  ping \nwho?\nblock\n"
        for size in [1, 2, 3, 7, text.utf8.count] {
            try withServer { loop, server in
                let client = try Client(on: loop, server) { client in
                    try client.read()
                    try client.socket.setNoDelay(true)
                    func send(_ left: ArraySlice<UInt8>) {
                        if left.isEmpty { return }
                        client.write(Array(left.prefix(size)))
                        loop.callSoon { send(left.dropFirst(size)) }
                    }
                    send(Array(text.utf8)[...])
                }
                try run(loop) { client.lines.count == 6 }
                #expect(client.lines.filter { $0 == "pong" }.count == 2)
                #expect(client.lines.filter { $0.hasPrefix("unknown request") }.count == 2)
                #expect(client.lines.filter { $0.hasPrefix("blocked everybody") }.count == 1)
                #expect(client.lines.filter { $0.hasPrefix("slow, but") }.count == 1)
                client.socket.close()
                try run(loop) { server.connectionCount == 0 }
            }
        }
    }

    /// Small, for the test's output shows arguments.
    struct Flood: CustomTestStringConvertible {
        let testDescription: String
        let piece: String
        let count: Int
    }

    @Test(arguments: [
        Flood(testDescription: "a client that does not read", piece: "x\n", count: 1 << 20),
        Flood(testDescription: "a line without an end", piece: "x", count: 100_000),
        Flood(testDescription: "requests that wait", piece: "slow\n", count: 100_000),
        Flood(testDescription: "requests that block", piece: "block\n", count: 102),
    ])
    func greedyClients_areCutOff(_ flood: Flood) throws {
        let text = String(repeating: flood.piece, count: flood.count)
        try withServer { loop, server in
            var isConnected = false
            let client = try Client(on: loop, server) { client in
                isConnected = true
                client.write(text)
            }
            try run(loop) { isConnected && server.connectionCount == 1 }
            try run(loop) { server.connectionCount == 0 }
            try client.read()
            try run(loop) { client.hasEnded }
            try ping(loop, server)
            try run(loop) { server.connectionCount == 0 }
        }
    }

    /// The first answer to it draws a reset, so that a later one cannot be written.
    @Test func clientThatHasGone_isForgotten_byTheWriteThatFails() throws {
        try withServer { loop, server in
            let client = try Client(on: loop, server) { client in
                client.write("block\nblock\nblock\n")
                client.socket.close()
            }
            try run(loop) { client.socket.isClosing && server.connectionCount == 1 }
            try run(loop) { server.connectionCount == 0 }
        }
    }

    @Test func manyLines_areAnsweredToAClientThatReads() throws {
        let count = 1 << 17
        try withServer { loop, server in
            let client = try Client(on: loop, server) { client in
                try client.read()
                // No more at a time than the server takes from one that is slow to read.
                func send(_ left: Int) {
                    if left == 0 { return }
                    client.write(String(repeating: "\n", count: 1024))
                    client.onAnswer = {
                        if client.lineCount == count - left + 1024 { send(left - 1024) }
                    }
                }
                send(count)
            }
            try run(loop) { client.lineCount == count }
            client.socket.close()
            try run(loop) { server.connectionCount == 0 }
        }
    }

    /// A seed always gives the same bytes in the same pieces. Ends after some seconds.
    @Test func anyBytes_leaveTheServerAnswering() throws {
        let end = ContinuousClock.now + .seconds(3)
        var seed: UInt64 = 0
        while ContinuousClock.now < end || seed < 20 {
            seed += 1
            var random = SplitMix(state: seed)
            let words: [[UInt8]] = [
                Array("ping\n".utf8), Array("slow\n".utf8), [0x0A], [0x0D, 0x0A], [0], [0xFF, 0xC3], Array("ping".utf8),
                Array(String(repeating: "é", count: 2000).utf8),
            ]
            let clients = (0..<4).map { _ in
                (0..<Int.random(in: 1...30, using: &random)).map { _ -> [UInt8] in
                    Bool.random(using: &random)
                        ? words.randomElement(using: &random)!
                        : (0..<Int.random(in: 1...300, using: &random)).map { _ in .random(in: 0...255, using: &random)
                        }
                }
            }
            try withServer { loop, server in
                var sent = 0
                let sockets = try clients.map { pieces in
                    try Client(on: loop, server) { client in
                        try client.read()
                        func send(_ left: ArraySlice<[UInt8]>) {
                            guard let piece = left.first, !client.socket.isClosing else { return sent += 1 }
                            client.write(piece)
                            loop.callSoon { send(left.dropFirst()) }
                        }
                        send(pieces[...])
                    }
                }
                try run(loop) { sent == clients.count }
                try ping(loop, server)
                for client in sockets {
                    #expect(client.lines.allSatisfy { $0 == "pong" || $0.hasPrefix("unknown") || $0.hasPrefix("slow") })
                    if seed % 2 == 0 && !client.socket.isClosing { try client.socket.closeReset() }
                    client.socket.close()
                }
                try run(loop) { server.connectionCount == 0 }
            }
        }
    }
}

private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = (state ^ state >> 30) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ word >> 27) &* 0x94D0_49BB_1331_11EB
        return word ^ word >> 31
    }
}
