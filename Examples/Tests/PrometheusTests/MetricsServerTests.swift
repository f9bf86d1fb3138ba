import MonitoredUV
import Testing

@testable import Prometheus

@Suite struct MetricsServerTests {
    /// Sends pieces of a request, and returns the answer once the server has ended the connection.
    private func answer(to pieces: [[UInt8]], timeout: Duration = .seconds(60)) throws -> String {
        let loop = try UVEventLoop()
        loop.monitoring.level = .metrics  // for figures to answer with
        let server = try MetricsServer.listen(on: loop, port: 0, timeout: timeout)
        let client = try UVTCP(on: loop)
        var answer: [UInt8] = []
        var hasEnded = false
        try client.connect(to: server.localAddress()) { error in
            func send(_ left: ArraySlice<[UInt8]>) {
                guard let piece = left.first, !client.isClosing else { return }
                try? client.write(piece) { _ in }
                loop.callSoon { send(left.dropFirst()) }
            }
            #expect(throws: Never.self) {
                if let error { throw error }
                try client.startReading { bytes in
                    bytes.withUnsafeBytes { answer.append(contentsOf: $0) }
                } onEnd: { _ in
                    hasEnded = true
                    client.close()
                }
                send(pieces[...])
            }
        }
        while !hasEnded { try loop.run(.once) }
        server.close()
        try loop.run()
        try loop.close()
        return String(decoding: answer, as: UTF8.self)
    }

    @Test func request_isAnswered_howeverItIsCut() throws {
        let request = Array("GET /metrics HTTP/1.1\r\nHost: example\r\n\r\n".utf8)
        for size in [1, 5, request.count] {
            let pieces = stride(from: 0, to: request.count, by: size).map { Array(request[$0...].prefix(size)) }
            let text = try answer(to: pieces)
            #expect(text.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(text.contains("uv_loop_utilization"))
        }
    }

    /// The end of the request is not looked for in all of it again and again.
    @Test func manySmallPieces_takeNoLongerThanTheirBytes() throws {
        let piece = [UInt8](repeating: UInt8(ascii: "x"), count: 1)
        let clock = ContinuousClock()
        func time(_ count: Int) throws -> Duration {
            try clock.measure {
                _ = try answer(to: Array(repeating: piece, count: count) + [Array("\r\n\r\n".utf8)])
            }
        }
        let (few, many) = (try time(1000), try time(16_000))
        #expect(many < few * 100, "1,000: \(few), 16,000: \(many)")
    }

    @Test func clientsThatSendTooLittle_areCutOff() throws {
        #expect(try answer(to: [Array("GET".utf8)], timeout: .milliseconds(10)) == "")
    }

    /// A seed always gives the same bytes in the same pieces.
    @Test func anyBytes_areAnsweredOrCutOff() throws {
        for seed in 1...100 as ClosedRange<UInt64> {
            var state = seed
            func random(_ limit: Int) -> Int {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                return Int(state >> 33) % limit
            }
            let pieces = (0..<random(20)).map { _ in
                random(2) == 0 ? Array("\r\n".utf8) : (0...random(2000)).map { _ in UInt8(random(256)) }
            }
            let text = try answer(to: pieces, timeout: .milliseconds(50))
            #expect(text == "" || text.hasPrefix("HTTP/1.1 200 OK\r\n"))
        }
    }
}
