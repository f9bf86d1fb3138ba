import MonitoredUV
import Synchronization

/// Connections that come and go, in all the ways that connections do.
struct Visitors {
    private let servers: Servers
    private let loop: UVEventLoop
    private let counts: Counts

    init(of servers: Servers, on loop: UVEventLoop, _ counts: Counts) {
        self.servers = servers
        self.loop = loop
        self.counts = counts
    }

    /// Runs visitors at once, each one pausing between its visits; returns when the last one has left.
    func visit(for duration: Duration, at once: Int) {
        let end = ContinuousClock.now + duration
        try? waitForTask(on: loop) {
            await withDiscardingTaskGroup { group in
                for number in 0..<once {
                    group.addTask {
                        var random = Random(seed: UInt64(number) &+ 1)
                        while ContinuousClock.now < end {
                            await visit(&random)
                            try? await Task.sleep(for: .milliseconds(random.next(150)))
                        }
                    }
                }
            }
        }
    }

    private func visit(_ random: inout Random) async {
        counts.visits.wrappingAdd(1, ordering: .relaxed)
        let port = random.next(2) == 0 ? servers.callbackPort : servers.taskPort
        do {
            switch random.next(10) {
            case 0: try await leave(port, &random)
            case 1: try await reset(port)
            case 2: try await beRefused()
            case 3: try await loseInterest(port)
            case 4: try await startTimers()
            default: try await talk(port, &random)
            }
        } catch {
            counts.failures.wrappingAdd(1, ordering: .relaxed)
            print("a visit failed: \(error)")
        }
    }

    private struct WrongAnswer: Error {}

    /// Some messages of all sizes, whose echo is compared, and an orderly end.
    private func talk(_ port: Int, _ random: inout Random) async throws {
        let client = try await UVTCPConnection.connect(host: "127.0.0.1", port: port)
        for _ in 0..<1 + random.next(8) {
            let message = random.bytes(1 + random.next(random.next(10) == 0 ? 100_000 : 2000))
            try await client.write(message)
            var echo: [UInt8] = []
            while echo.count < message.count, let bytes = try await client.read() { echo += bytes }
            if echo != message { throw WrongAnswer() }
            counts.messages.wrappingAdd(1, ordering: .relaxed)
        }
        try await client.shutdown()
        if try await client.read() != nil { throw WrongAnswer() }
        await client.close()
    }

    /// Goes without reading the answer, which the server is told as a reset.
    private func leave(_ port: Int, _ random: inout Random) async throws {
        let client = try await UVTCPConnection.connect(host: "127.0.0.1", port: port)
        try await client.write(random.bytes(1 + random.next(100_000)))
        await client.close()
        counts.departures.wrappingAdd(1, ordering: .relaxed)
    }

    private func reset(_ port: Int) async throws {
        let loop = loop
        try await withCheckedThrowingContinuation { continuation in
            loop.execute(name: "reset") {
                do {
                    let client = try UVTCP(on: loop)
                    try client.connect(to: UVSocketAddress("127.0.0.1", port: port)) { error in
                        do {
                            if let error { throw error }
                            try client.write("on my way")
                            try client.closeReset { continuation.resume() }
                        } catch {
                            client.close { continuation.resume(throwing: error) }
                        }
                    }
                } catch {
                    continuation.resume(throwing: error)
                }
            }
        }
        counts.resets.wrappingAdd(1, ordering: .relaxed)
    }

    /// A hundred, of which the loop closes every second before it is due.
    private func startTimers() async throws {
        let loop = loop
        try await withCheckedThrowingContinuation { continuation in
            loop.execute(name: "timers") {
                var left = 50
                for number in 0..<100 {
                    let timer = loop.callLater(.milliseconds(1 + number % 7)) {
                        left -= 1
                        if left == 0 { continuation.resume() }
                    }
                    if number % 2 == 1 { timer.cancel() }
                }
            }
        }
        counts.timers.wrappingAdd(100, ordering: .relaxed)
    }

    private func beRefused() async throws {
        do {
            _ = try await UVTCPConnection.connect(host: "127.0.0.1", port: servers.closedPort)
        } catch let error as UVError where error.code == .connectionRefused {
            counts.refusals.wrappingAdd(1, ordering: .relaxed)
            return
        }
        throw WrongAnswer()
    }

    /// Waits for an answer to nothing, and gives up.
    private func loseInterest(_ port: Int) async throws {
        let client = try await UVTCPConnection.connect(host: "127.0.0.1", port: port)
        do {
            _ = try await UVEventLoop.withTimeout(.milliseconds(3)) { try await client.read() }
        } catch let error as UVError where error.code == .timedOut {
            counts.timeouts.wrappingAdd(1, ordering: .relaxed)
            return await client.close()
        }
        throw WrongAnswer()
    }
}

/// Numbers that look random and are the same each time.
private struct Random {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 | 1 }

    mutating func next(_ bound: Int) -> Int {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return Int(state >> 33) % bound
    }

    mutating func bytes(_ count: Int) -> [UInt8] {
        let first = next(256)
        return (0..<count).map { UInt8(truncatingIfNeeded: first &+ $0 &* 7) }
    }
}
