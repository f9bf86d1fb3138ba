import Foundation
import Testing

@testable import MonitoredUV

@Suite struct UVTCPServerTests {
    @Test func twoThousandConnectionsWithATaskEachEcho_andLeaveNothing() async throws {
        let connections = 2000
        let dispatches = Counter()
        try await withTasks { loop in
            loop.setMonitor { _ in dispatches.count() }
            let server = try await UVTCPServer.listen(host: "127.0.0.1", port: 0, backlog: 4096)
            let port = server.localAddress.port
            let echoed = Box(0)
            try await withThrowingDiscardingTaskGroup { group in
                group.addTask {
                    try await server.serve { connection in
                        for try await bytes in connection.inbound { try await connection.write(bytes) }
                    }
                }
                try await withThrowingDiscardingTaskGroup { clients in
                    for number in 0..<connections {
                        clients.addTask {
                            let client = try await UVTCPConnection.connect(host: "127.0.0.1", port: port)
                            for round in 0..<3 {
                                let message = "client \(number) round \(round)"
                                try await client.write(message)
                                var answer: [UInt8] = []
                                while answer.count < message.utf8.count { answer += try await client.read() ?? [] }
                                #expect(String(decoding: answer, as: UTF8.self) == message)
                                echoed.value += 1
                            }
                        }
                    }
                }
                await server.close()
            }
            #expect(echoed.value == connections * 3)
            #expect(loop.core.timers.count == 0)
        }
        #expect(dispatches.value > connections * 6)
    }

    /// With the loop held up, so that the server accepts the first client's connection after that has reset it; a busy
    /// kernel may take a while to know. Returns how many connections were accepted that were then found to be reset.
    @discardableResult
    static func serveAfterAReset(_ onAcceptError: (@Sendable (UVError) -> Void)?) async throws -> Int {
        let server = try await UVTCPServer.listen(host: "127.0.0.1", port: 0, onAcceptError: onAcceptError)
        var resets = 0
        let sockets = (0..<2).map { _ in connectedSocket(to: server.localAddress) }
        closeWithReset(sockets[0])
        precondition(write(sockets[1], "x", 1) == 1)
        for try await connection in server.connections {
            do {
                #expect(try await connection.read() == [UInt8(ascii: "x")])
            } catch let error as UVError where error.code == .connectionReset {
                resets += 1
                continue
            }
            await connection.close()
            break
        }
        close(sockets[1])
        await server.close()
        return resets
    }

    /// A handler that throws its own error three times, and a `CancellationError` before.
    private static func serveMistakes() async throws {
        struct Mistake: Error {}
        let server = try await UVTCPServer.listen(host: "127.0.0.1", port: 0)
        async let serving: Void = server.serve { connection in
            if try await connection.read() == [UInt8(ascii: "c")] { throw CancellationError() }
            throw Mistake()
        }
        for text in ["c", "x", "x", "x"] {
            let client = try await UVTCPConnection.connect(host: "127.0.0.1", port: server.localAddress.port)
            try await client.write(text)
            #expect(try await client.read() == nil)
        }
        await server.close()
        try await serving
    }

    @Test func handlersError_isPrintedOnce_ifNobodyReceivesIt() async {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            try await withTasks { _ in try await Self.serveMistakes() }
        }
        let output = result.map { String(decoding: $0.standardErrorContent, as: UTF8.self) } ?? ""
        #expect(
            output.components(separatedBy: "threw Mistake(), and its connection was closed").count == 2,
            "\(output)"
        )
        #expect(!output.contains("CancellationError"))
    }

    @Test func aConnectionThatWasResetBeforeItWasAcceptedIsTold_andTheNextIsServed() async throws {
        let errors = Lock<[UVError.Code]>([])
        try await withTasks { _ in
            let resets = try await Self.serveAfterAReset { error in errors.withLock { $0.append(error.code) } }
            #expect(errors.withLock { $0 } == (resets == 0 ? [.notConnected] : []))
        }
    }

    @Test func aConnectionThatWasResetBeforeItWasAcceptedIsNoReasonForAWarning() async throws {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            try await withTasks { _ in try await UVTCPServerTests.serveAfterAReset(nil) }
        }
        let output = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
        #expect(!output.contains("accepted"), "\(output)")
    }

    @Test func clientsThatResetHalfCloseAndAreCancelled_loseNothingAndLeaveNothing() async throws {
        try await withTasks { loop in
            let server = try await UVTCPServer.listen(host: "127.0.0.1", port: 0)
            let port = server.localAddress.port
            let (ended, failed, echoed) = (Box(0), Box(0), Box(0))
            let handles = loop.core.members.handleBalance.open
            let serving = Task(executorPreference: loop) {
                try await server.serve { connection in
                    for try await bytes in connection.inbound { try await connection.write(bytes) }
                    try await connection.write("bye")
                    ended.value += 1
                } onError: { _, _ in
                    failed.value += 1
                }
            }
            let (each, size) = (50, 200_000)
            await withDiscardingTaskGroup { group in
                for number in 0..<each * 3 {
                    group.addTask {
                        await succeedAsync {
                            let client = try await UVTCPConnection.connect(host: "127.0.0.1", port: port)
                            try await client.write("x")
                            _ = try await client.read()
                            switch number % 3 {
                            case 0: try client.state.tcp.closeReset()
                            case 1:
                                async let sent: Void = {
                                    try await client.write([UInt8](repeating: 1, count: size))
                                    try await client.shutdown()
                                }()
                                var count = 0
                                for try await bytes in client.inbound { count += bytes.count }
                                try await sent
                                if count == size + 3 { echoed.value += 1 }
                            default:
                                let reading = Task(executorPreference: loop) { try await client.read() }
                                await Task.yield()
                                reading.cancel()
                                await #expect(throws: CancellationError.self) { try await reading.value }
                            }
                        }
                    }
                }
            }
            while failed.value < each || ended.value < each * 2 { await Task.yield() }
            #expect(echoed.value == each)
            await server.close()
            try await serving.value
            #expect(loop.core.members.handleBalance.open < handles)
        }
    }

    private func succeedAsync(_ body: () async throws -> Void) async {
        do { try await body() } catch { Issue.record(error) }
    }

    @Test func aHandlersErrorEndsItsOwnConnectionAlone() async throws {
        try await withTasks { loop in
            let server = try await UVTCPServer.listen(host: "127.0.0.1", port: 0)
            let port = server.localAddress.port
            let errors = Box<[String]>([])
            let serving = Task(executorPreference: loop) {
                try await server.serve { connection in
                    let bytes = try await connection.read() ?? []
                    if bytes == Array("bad".utf8) { throw UVError(.invalidArgument, operation: "test") }
                    try await connection.write(bytes)
                } onError: {
                    errors.value.append("\($0) at \($1.localAddress.port)")
                }
            }
            for message in ["good", "bad", "good"] {
                let client = try await UVTCPConnection.connect(host: "127.0.0.1", port: port)
                try await client.write(message)
                let answer = try await client.read()
                #expect((answer != nil) == (message == "good"))
            }
            await server.close()
            try await serving.value
            #expect(errors.value == ["test: invalid argument (EINVAL) at \(port)"])
        }
    }

    @Test func cancellingServeCancelsItsHandlersAndClosesTheirConnections() async throws {
        try await withTasks { loop in
            let server = try await UVTCPServer.listen(host: "127.0.0.1", port: 0)
            let port = server.localAddress.port
            let cancelled = Box(0)
            let serving = Task(executorPreference: loop) {
                try await server.serve { connection in
                    do { _ = try await connection.read() } catch is CancellationError { cancelled.value += 1 }
                }
            }
            var clients: [UVTCPConnection] = []
            for _ in 0..<5 { clients.append(try await UVTCPConnection.connect(host: "127.0.0.1", port: port)) }
            for client in clients { try await client.write("") }
            while loop.core.members.handleBalance.open < 11 { await Task.yield() }
            serving.cancel()
            await #expect(throws: CancellationError.self) { try await serving.value }
            for client in clients { try await #expect(client.read() == nil) }
            #expect(cancelled.value <= 5)
        }
    }

    @Test func noMoreConnectionsAreAcceptedThanAreTaken_andNoneIsLost() async throws {
        try await withTasks { loop in
            let server = try await UVTCPServer.listen(host: "127.0.0.1", port: 0)
            let port = server.localAddress.port
            let clients = 150
            let connected = Box<[UVTCPConnection]>([])
            for number in 0..<clients {
                let client = try await UVTCPConnection.connect(host: "127.0.0.1", port: port)
                try await client.write("\(number)")
                connected.value.append(client)
            }
            while server.state.accepted.count < ServerState.acceptAhead { await Task.yield() }
            try await loop.sleep(for: .milliseconds(5))
            #expect(server.state.accepted.count == ServerState.acceptAhead)
            var seen: Set<String> = []
            var taken: [UVTCPConnection] = []
            for try await connection in server.connections {
                seen.insert(String(decoding: try await connection.read() ?? [], as: UTF8.self))
                taken.append(connection)
                if taken.count == clients { break }
            }
            #expect(seen.count == clients)
        }
    }

    @Test func whoWaitsForAConnectionGetsTheEndWhenTheServerCloses_orIsCancelled() async throws {
        try await withTasks { loop in
            let server = try await UVTCPServer.listen(host: "127.0.0.1", port: 0)
            let cancelled = Task(executorPreference: loop) {
                var iterator = server.connections.makeAsyncIterator()
                return try await iterator.next() == nil
            }
            await Task.yield()
            await Task.yield()
            cancelled.cancel()
            await #expect(throws: CancellationError.self) { try await cancelled.value }
            async let waiting: Int = {
                var count = 0
                for try await _ in server.connections { count += 1 }
                return count
            }()
            await Task.yield()
            await server.close()
            await server.close()
            try await #expect(waiting == 0)
            var iterator = server.connections.makeAsyncIterator()
            try await #expect(iterator.next() == nil)
        }
    }

    @Test func anAddressThatIsTakenIsAnError_andNothingIsLeftOpen() async throws {
        try await withTasks { loop in
            let server = try await UVTCPServer.listen(host: "127.0.0.1", port: 0)
            let port = server.localAddress.port
            let error = await #expect(throws: UVError.self) {
                try await UVTCPServer.listen(host: "127.0.0.1", port: port)
            }
            #expect(error?.code == .addressInUse)
            await #expect(throws: UVError.self) { try await UVTCPServer.listen(host: "127.0.0.1", port: 70_000) }
        }
    }

    @Test func aServerThatRunsOutOfDescriptorsHoldsWhoWaits_orClosesThem_andGoesOn() async {
        await #expect(processExitsWith: .success) { try await serveWithoutDescriptors(.hold) }
        await #expect(processExitsWith: .success) { try await serveWithoutDescriptors(.shed) }
    }
}

private func serveWithoutDescriptors(_ policy: UVStream.OutOfDescriptors) async throws {
    try await withTasks { loop in
        let errors = Lock<[UVError.Code]>([])
        let server = try await UVTCPServer.listen(host: "127.0.0.1", port: 0, whenOutOfDescriptors: policy) { error in
            errors.withLock { $0.append(error.code) }
        }
        let port = server.localAddress.port
        let accepted = Counter()
        let serving = Task(executorPreference: loop) {
            try await server.serve { connection in
                accepted.count()
                for try await bytes in connection.inbound { try await connection.write(bytes) }
            }
        }
        limitDescriptors(to: 20)
        var fillers: [Int32] = []
        func takeAllDescriptors() {
            while case let descriptor = dup(0), descriptor >= 0 { fillers.append(descriptor) }
        }
        // The client takes the last one; the server has none left to accept it with. Again, if another thread took the
        // client's, or gave one back for the server.
        var client: UVTCPConnection?
        while errors.withLock({ $0.isEmpty }) {
            await client?.close()
            takeAllDescriptors()
            close(fillers.removeLast())
            let before = accepted.value
            client = try? await UVTCPConnection.connect(host: "127.0.0.1", port: port)
            takeAllDescriptors()
            try await client?.write("first")
            while client != nil, accepted.value == before, errors.withLock({ $0.isEmpty }) { await Task.yield() }
        }
        let waiting = try #require(client)
        if policy == .shed {
            let end = try? await waiting.read()
            #expect(end == nil)
        }
        #expect(setDescriptorLimit { $0.rlim_cur += 100 })
        if policy == .hold {
            let answer = try await waiting.read()
            #expect(answer == Array("first".utf8))
        }
        await waiting.close()
        let next = try await UVTCPConnection.connect(host: "127.0.0.1", port: port)
        try await next.write("again")
        let answer = try await next.read()
        #expect(answer == Array("again".utf8))
        await server.close()
        await next.close()
        for descriptor in fillers { close(descriptor) }
        try await serving.value
        #expect(errors.withLock { $0 } == [.tooManyOpenFiles])
    }
}
