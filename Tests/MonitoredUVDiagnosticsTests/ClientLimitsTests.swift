import MonitoredUV
import NIOCore
import Testing

@testable import MonitoredUVDiagnostics

/// Limits of what clients may take; the others are answered all the same.
@Suite struct ClientLimitsTests {
    private let start = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n"

    @Test func headThatDoesNotEnd_isRefused() throws {
        try withServer { caller in
            for name in ["x", "x" + String(repeating: "y", count: 200)] {
                let headers = (0..<2000).map { "\(name)\($0): 1\r\n" }.joined()
                let answer = try caller.send(start + headers)
                #expect(answer?.status == 431, "\(name): \(String(describing: answer))")
            }
            try #expect(caller.send("GET /" + String(repeating: "a", count: 40_000))?.status == 431)
            let long = "x: " + String(repeating: "a", count: 12_000) + "\r\nconnection: close\r\n\r\n"
            try #expect(caller.send(start + long)?.status == 200)
        }
    }

    @Test func bodyThatIsTooLong_isRefused() throws {
        try withServer(.init(token: "t")) { caller in
            let body = String(repeating: "a", count: 65_537)
            try #expect(caller.call("/metrics", "POST", ["authorization: Bearer t"], body: body).status == 413)
            let most = String(body.dropLast())
            try #expect(caller.call("/metrics", "POST", ["authorization: Bearer t"], body: most).status == 405)
        }
    }

    @Test func requestThatDoesNotArrive_timesOut() throws {
        var times = ClientTimes()
        times.arrival = .milliseconds(50)
        try withServer(times: times) { caller in
            try #expect(caller.send(start)?.status == 408)
            try #expect(caller.send("G")?.status == 408)
            let body = start.replacing("GET", with: "POST") + "content-length: 10\r\n\r\nabc"
            try #expect(caller.send(body)?.status == 408)
        }
    }

    @Test func idleClient_isLetGo() throws {
        var times = ClientTimes()
        times.idle = .milliseconds(50)
        try withServer(times: times) { caller in
            try #expect(caller.send("") == nil)
            // Kept for the next request, and then closed without a word. On a busy machine, the first may come too late.
            var answers: Answered?
            for _ in 0..<50 where answers == nil { answers = try caller.send(start + "\r\n" + start + "\r\n") }
            #expect(answers?.status == 200)
            #expect(answers?.body.components(separatedBy: "HTTP/1.1 200").count == 2)
        }
    }

    @Test func clientThatDoesNotRead_isCutOff() throws {
        let loop = try UVEventLoop()
        loop.monitoring.level = .metrics
        for _ in 0..<60_000 { loop.callSoon(name: "one of the many dispatches of a long trace") {} }
        try loop.run()
        // More than the system's buffers hold.
        var whole = 0
        try withServer { whole = try $0.call("/trace").body.utf8.count }
        #expect(whole > 4_000_000)

        var times = ClientTimes()
        times.reading = .milliseconds(50)
        var options = UVDiagnostics.Options()
        options.mostClients = 1
        try withServer(options, times: times) { caller in
            let connection = try caller.connect()
            connection.write(Array("GET /trace HTTP/1.1\r\nhost: localhost\r\n\r\n".utf8))
            // It is answered, and thus in the way of others, until it is cut off.
            #expect(!connection.read().isEmpty)
            while try caller.send(start + "connection: close\r\n\r\n") == nil {}
            #expect(connection.readAll().utf8.count < whole)
        }
        try loop.close()
    }

    @Test func tooManyClients_theIdlestGoes() throws {
        var options = UVDiagnostics.Options()
        options.mostClients = 3
        try withServer(options) { caller in
            let first = try caller.connect()
            first.write(Array((start + "\r\n").utf8))
            #expect(!first.read().isEmpty)
            let others = try (0..<2).map { _ in
                let other = try caller.connect()
                other.write(Array((start + "\r\n").utf8))
                #expect(!other.read().isEmpty)
                return other
            }
            try #expect(caller.call("/healthz").status == 200)
            #expect(first.read().isEmpty)
            others[1].write(Array((start + "\r\n").utf8))
            #expect(!others[1].read().isEmpty)
        }
    }

    /// Any bytes are answered, or end the connection, and the server goes on.
    @Test(arguments: 0..<4) func anyBytes_areSurvived(_ seed: UInt64) throws {
        var times = ClientTimes()
        times.arrival = .milliseconds(20)
        times.idle = .milliseconds(20)
        var random = SplitMix(state: seed)
        let model = Array(
            "POST /trace?last=3&format=x HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
                .utf8
        )
        try withServer(.init(token: "t"), times: times) { caller in
            for _ in 0..<150 {
                var bytes = model
                for _ in 0..<Int.random(in: 0...6, using: &random) {
                    let index = Int.random(in: 0..<bytes.count, using: &random)
                    switch Int.random(in: 0..<3, using: &random) {
                    case 0: bytes[index] = UInt8.random(in: 0...255, using: &random)
                    case 1: bytes.insert(UInt8.random(in: 0...255, using: &random), at: index)
                    default: bytes.removeSubrange(index..<min(bytes.count, index + 7))
                    }
                }
                let connection = try caller.connect()
                connection.write(bytes)
                _ = connection.readAll()
            }
            // On a busy machine, a request may come too late.
            var answer: Answered?
            for _ in 0..<50 where answer == nil { answer = try caller.send(start + "connection: close\r\n\r\n") }
            #expect(answer?.status == 200)
        }
    }
}

private struct SplitMix: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ (word >> 30)) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ (word >> 27)) &* 0x94d0_49bb_1331_11eb
        return word ^ (word >> 31)
    }
}
