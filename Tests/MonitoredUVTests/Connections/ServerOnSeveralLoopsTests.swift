import Dispatch
import Foundation
import Testing

@testable import MonitoredUV

struct ServerOnSeveralLoopsTests {
    /// Runs `body` with a group of three loops, of which nothing must be left afterwards.
    private static func withGroup(_ body: @escaping @Sendable (UVEventLoopGroup) async throws -> Void) async throws {
        try await withTasks { _ in
            let group = try UVEventLoopGroup(count: 3, name: "server")
            do { try await body(group) } catch {
                await group.shutdown()
                throw error
            }
            await group.shutdown()
            for loop in group.loops {
                #expect(loop.core.members.handleBalance.open == 0)
                #expect(loop.core.members.requestBalance.open == 0)
            }
        }
    }

    private static func connect(to server: UVTCPServer) async throws -> UVTCPConnection {
        try await UVTCPConnection.connect(host: "127.0.0.1", port: server.localAddress.port)
    }

    @Test func connectionsGoToTheLoopsInTurn_andHandlersRunThere() async throws {
        try await Self.withGroup { group in
            let server = try await UVTCPServer.listen(host: "127.0.0.1", port: 0, on: group)
            #expect(group.loops.contains { $0 === server.loop })
            async let serving: Void = server.serve { connection in
                for try await bytes in connection.inbound {
                    #expect(isOn(connection.loop))
                    try await connection.write(bytes)
                    try await connection.write(" on \(connection.loop.name)\n")
                }
                #expect(isOn(connection.loop))
            }
            var served: [String: Int] = [:]
            for number in 0..<12 {
                let client = try await Self.connect(to: server)
                try await client.write("\(number)")
                try await client.shutdown()
                var answer: [UInt8] = []
                for try await bytes in client.inbound { answer += bytes }
                let words = String(decoding: answer, as: UTF8.self).split { $0 == " " || $0 == "\n" }
                #expect(words.first == "\(number)")
                served[String(words.last ?? ""), default: 0] += 1
            }
            #expect(served == Dictionary(uniqueKeysWithValues: group.loops.map { ($0.name, 4) }))
            await server.close()
            try await serving
        }
    }

    @Test func connections_comeFromAllLoops_andTheServerClosesThoseThatNobodyTook() async throws {
        try await Self.withGroup { group in
            let server = try await UVTCPServer.listen(host: "127.0.0.1", port: 0, on: group)
            var clients: [UVTCPConnection] = []
            for _ in 0..<8 { clients.append(try await Self.connect(to: server)) }
            var taken: [UVTCPConnection] = []
            for try await connection in server.connections {
                taken.append(connection)
                if taken.count == 4 { break }
            }
            #expect(Set(taken.map { $0.loop.name }).count == 3)
            for connection in taken { try await connection.write("hello") }
            await server.close()
            // A client's connection is one of the first four, or the server has closed it: reset, or at an end.
            var greeted = 0
            for client in clients {
                if let bytes = try? await client.read(), bytes == Array("hello".utf8) { greeted += 1 }
            }
            #expect(greeted == 4)
        }
    }

    /// The loops end while handlers wait for bytes and others are on their way.
    @Test func groupThatIsShutDown_endsTheServerAndItsClients() async throws {
        try await withTasks { _ in
            let group = try UVEventLoopGroup(count: 2)
            let server = try await UVTCPServer.listen(host: "127.0.0.1", port: 0, on: group)
            let (waiting, ended) = (Counter(), Counter())
            let serving = Task {
                try await server.serve { connection in
                    waiting.count()
                    _ = try await connection.read()
                } onError: { error, _ in
                    // By the loop, or by the task group, in which the server's own wait has ended first.
                    #expect((error as? UVError)?.code == .canceled || error is CancellationError)
                    ended.count()
                }
            }
            var clients: [UVTCPConnection] = []
            for _ in 0..<6 { clients.append(try await Self.connect(to: server)) }
            while waiting.value < 6 { await Task.yield() }
            await group.shutdown()
            let error = await #expect(throws: UVError.self) { try await serving.value }
            #expect(error?.code == .canceled)
            #expect(ended.value == 6)
            for client in clients { #expect((try? await client.read()) == nil) }
            let refused = await #expect(throws: UVError.self) {
                try await UVTCPServer.listen(host: "127.0.0.1", port: 0, on: group)
            }
            #expect(refused?.code == .invalidArgument)
        }
    }

    /// Also while somebody still holds the server.
    @Test func groupThatIsShutDown_closesClientsThatNobodyTook() async throws {
        try await withTasks { _ in
            let group = try UVEventLoopGroup(count: 2)
            let server = try await UVTCPServer.listen(host: "127.0.0.1", port: 0, on: group)
            var clients: [UVTCPConnection] = []
            for _ in 0..<4 { clients.append(try await Self.connect(to: server)) }
            for try await connection in server.connections {
                await connection.close()
                break
            }
            await group.shutdown()
            for client in clients { #expect((try? await client.read()) == nil) }
            await server.close()
        }
    }

    /// The loops' turns are the server's own, and a loop that is blocked gets no more than it can have.
    @Test func blockedLoop_isPassedOver() async throws {
        try await Self.withGroup { group in
            let server = try await UVTCPServer.listen(host: "127.0.0.1", port: 0, on: group)
            let number = group.loops.firstIndex { $0 !== server.loop }!
            let blocked = group.loops[number]
            let (held, go) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
            blocked.execute {
                held.signal()
                go.wait()
            }
            waitFor(held)
            let served = Counter()
            async let serving: Void = server.serve { connection in
                _ = group.next()
                served.count()
                _ = try await connection.read()
            }
            let clients = 8 * LoopRotation.capacity
            let rotation = try #require(server.state.rotation)
            var connections: [UVTCPConnection] = []
            for count in 1...clients {
                connections.append(try await Self.connect(to: server))
                while served.value + rotation.underWay[number] < count { await Task.yield() }
            }
            #expect(rotation.underWay.sorted() == [0, 0, LoopRotation.capacity])
            go.signal()
            while served.value < clients { await Task.yield() }
            for connection in connections { await connection.close() }
            await server.close()
            try await serving
        }
    }

    /// Handlers start although the loop on which `serve` was called is blocked.
    @Test func blockedCaller_doesNotHoldUpServe() async throws {
        try await Self.withGroup { group in
            let server = try await UVTCPServer.listen(host: "127.0.0.1", port: 0, on: group)
            async let serving: Void = server.serve { connection in
                for try await bytes in connection.inbound { try await connection.write(bytes) }
            }
            await Task.yield()
            // On this loop's thread, without giving way.
            let client = connectedSocket(to: server.localAddress)
            var byte: UInt8 = 42
            #expect(write(client, &byte, 1) == 1)
            byte = 0
            #expect(read(client, &byte, 1) == 1)
            #expect(byte == 42)
            close(client)
            await server.close()
            try await serving
        }
    }

    /// Clients that are gone before their loops come to them, of which some are not the server's.
    @Test func clientThatWasReset_isToldToTheServersLoop() async throws {
        try await Self.withGroup { group in
            let told = Lock<[String?]>([])
            let server = try await UVTCPServer.listen(host: "127.0.0.1", port: 0, on: group) { error in
                #expect(error.code == .notConnected)
                told.withLock { $0.append(UVEventLoop.current?.name) }
            }
            let broken = Counter()
            async let serving: Void = server.serve { connection in
                for try await bytes in connection.inbound { try await connection.write(bytes) }
            } onError: { _, _ in
                broken.count()
            }
            let others = group.loops.filter { $0 !== server.loop }
            let (held, go) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
            for loop in others {
                loop.execute {
                    held.signal()
                    go.wait()
                }
            }
            for _ in others { waitFor(held) }
            let resets = 6
            for _ in 0..<resets { closeWithReset(connectedSocket(to: server.localAddress)) }
            for _ in others { go.signal() }
            let client = try await Self.connect(to: server)
            try await client.write("still")
            try await #expect(client.read() == Array("still".utf8))
            await client.close()
            while told.withLock({ $0.count }) + broken.value < resets { await Task.yield() }
            let loops = told.withLock { $0 }
            #expect(loops.count >= resets / 3)  // two of three loops were held up
            #expect(loops.allSatisfy { $0 == server.loop.name })
            await server.close()
            try await serving
        }
    }
}

private func waitFor(_ semaphore: DispatchSemaphore) { semaphore.wait() }
