import Foundation
import Testing

@testable import MonitoredUV

/// The end of a server's handlers when it closes, and when their clients are gone.
@Suite struct ServedHandlersTests {
    /// Serves with a handler that waits for bytes; how its waits ended.
    private func serve(
        _ loop: UVEventLoop,
        _ server: UVTCPServer,
        _ cancellation: UVTCPServer.HandlerCancellation,
        _ ends: Box<[String]>,
        _ handler: @escaping @Sendable (UVTCPConnection) async throws -> Void = { _ = try await $0.read() }
    ) -> Task<Void, any Error> {
        Task(executorPreference: loop) {
            try await server.serve(cancelingHandlers: cancellation) { connection in
                ends.value.append("began")
                do { try await handler(connection) } catch {
                    ends.value.append("\(type(of: error))")
                    throw error
                }
                ends.value.append("ended")
            } onError: { error, _ in
                ends.value.append("told \(type(of: error))")
            }
        }
    }

    private func client(_ server: UVTCPServer) async throws -> UVTCPConnection {
        try await UVTCPConnection.connect(host: "127.0.0.1", port: server.localAddress.port)
    }

    /// A server with one connection, and both ends of that.
    private func connected() async throws -> (UVTCPServer, client: UVTCPConnection, accepted: UVTCPConnection) {
        let server = try await UVTCPServer.listen(host: "127.0.0.1", port: 0)
        let client = try await client(server)
        var connections = server.connections.makeAsyncIterator()
        return (server, client, try #require(try await connections.next()))
    }

    private func wait(_ ends: Box<[String]>, for count: Int) async {
        while ends.value.count < count { await Task.yield() }
    }

    @Test func anIdleClientDoesNotHoldTheServer_afterTheGracePeriod() async throws {
        try await withTasks { loop in
            let server = try await UVTCPServer.listen(host: "127.0.0.1", port: 0)
            let ends = Box<[String]>([])
            let serving = serve(loop, server, .never, ends)
            let client = try await client(server)
            await wait(ends, for: 1)
            let start = ContinuousClock.now
            await server.close(gracePeriod: .milliseconds(30))
            try await serving.value
            #expect(start.duration(to: .now) >= .milliseconds(30))
            #expect(ends.value == ["began", "CancellationError", "told CancellationError"])
            let end = try await client.read()
            #expect(end == nil)
        }
    }

    /// A connection that both sides have ended in order is hung up for the system, and no reason to cancel what its handler
    /// still does.
    @Test func handlerGoesOn_afterBothSidesHaveEnded() async throws {
        try await withTasks { loop in
            let server = try await UVTCPServer.listen(host: "127.0.0.1", port: 0)
            let ends = Box<[String]>([])
            let serving = serve(loop, server, .onReset, ends) { connection in
                while try await connection.read() != nil {}
                try await connection.write("answer")
                try await connection.shutdown()
                // Longer than from one look at the connection to the next.
                try await loop.sleep(for: .milliseconds(1500))
            }
            let client = try await client(server)
            try await client.shutdown()
            let answer = try await client.read()
            #expect(answer == Array("answer".utf8))
            #expect(try await client.read() == nil)
            await client.close()
            await wait(ends, for: 2)
            #expect(ends.value == ["began", "ended"])
            await server.close()
            try await serving.value
        }
    }

    @Test func handlersEndInTheirOwnTime_withinTheGracePeriod() async throws {
        try await withTasks { loop in
            let server = try await UVTCPServer.listen(host: "127.0.0.1", port: 0)
            let ends = Box<[String]>([])
            let serving = serve(loop, server, .never, ends)
            let client = try await client(server)
            await wait(ends, for: 1)
            await server.close(gracePeriod: .seconds(3600))
            await server.close(gracePeriod: nil)
            try await client.write("x")
            try await serving.value
            #expect(ends.value == ["began", "ended"])
            #expect(loop.core.timers.count == 0)
        }
    }

    @Test func aSecondCloseShortensTheGracePeriod() async throws {
        try await withTasks { loop in
            for first in [nil, Duration.seconds(3600)] {
                let server = try await UVTCPServer.listen(host: "127.0.0.1", port: 0)
                let ends = Box<[String]>([])
                let serving = serve(loop, server, .never, ends)
                let client = try await client(server)
                await wait(ends, for: 1)
                await server.close(gracePeriod: first)
                for _ in 0..<100 { await Task.yield() }
                #expect(ends.value == ["began"])
                await server.close(gracePeriod: .zero)
                try await serving.value
                #expect(ends.value == ["began", "CancellationError", "told CancellationError"])
                await client.close()
            }
            #expect(loop.core.timers.count == 0)
        }
    }

    @Test func aServerWithoutHandlersEndsAtOnce() async throws {
        try await withTasks { loop in
            let server = try await UVTCPServer.listen(host: "127.0.0.1", port: 0)
            let serving = serve(loop, server, .never, Box([]))
            await Task.yield()
            await server.close(gracePeriod: .seconds(3600))
            try await serving.value
            #expect(loop.core.timers.count == 0)
        }
    }

    /// The handler sleeps: only its cancellation can tell it.
    @Test func aHandlerIsCanceledWhenItsClientResets_ifAskedFor() async throws {
        try await withTasks { loop in
            for cancellation in [UVTCPServer.HandlerCancellation.onReset, .onEndOfStream] {
                let server = try await UVTCPServer.listen(host: "127.0.0.1", port: 0)
                let ends = Box<[String]>([])
                let serving = serve(loop, server, cancellation, ends) { _ in try await Task.sleep(for: .seconds(3600)) }
                let client = try await client(server)
                await wait(ends, for: 1)
                try client.state.tcp.closeReset()
                await wait(ends, for: 2)
                #expect(ends.value == ["began", "CancellationError"])
                await server.close(gracePeriod: nil)
                try await serving.value
            }
            #expect(loop.core.timers.count == 0)
        }
    }

    @Test func aClientThatEndsItsSideCancelsItsHandlerOnlyIfAskedFor() async throws {
        try await withTasks { loop in
            let server = try await UVTCPServer.listen(host: "127.0.0.1", port: 0)
            let ends = Box<[String]>([])
            let serving = serve(loop, server, .onReset, ends) { connection in
                for try await bytes in connection.inbound { try await connection.write(bytes) }
                try await Task.sleep(for: .milliseconds(20))
                try await connection.write("bye")
            }
            let client = try await client(server)
            try await client.write("hi ")
            try await client.shutdown()
            var answer: [UInt8] = []
            for try await bytes in client.inbound { answer += bytes }
            #expect(String(decoding: answer, as: UTF8.self) == "hi bye")
            #expect(ends.value == ["began", "ended"])
            await server.close()
            try await serving.value

            let other = try await UVTCPServer.listen(host: "127.0.0.1", port: 0)
            let otherEnds = Box<[String]>([])
            let otherServing = serve(loop, other, .onEndOfStream, otherEnds) { _ in
                try await Task.sleep(for: .seconds(3600))
            }
            let second = try await self.client(other)
            try await second.shutdown()
            await wait(otherEnds, for: 2)
            #expect(otherEnds.value == ["began", "CancellationError"])
            await other.close()
            try await otherServing.value
        }
    }

    @Test func whatAHandlerThrowsIsToldAsBefore_whileItsClientIsWatched() async throws {
        try await withTasks { loop in
            let server = try await UVTCPServer.listen(host: "127.0.0.1", port: 0)
            let ends = Box<[String]>([])
            let serving = serve(loop, server, .onReset, ends) { _ in throw UVError(.invalidArgument, operation: "test")
            }
            let client = try await client(server)
            let end = try await client.read()
            #expect(end == nil)
            #expect(ends.value == ["began", "UVError", "told UVError"])
            await server.close()
            try await serving.value
        }
    }

    /// Its own close is no reason to cancel it, nor are others' cancellations kept quiet.
    @Test func aHandlerThatClosesItsConnectionGoesOn_andItsOwnCancellationIsTold() async throws {
        try await withTasks { loop in
            let server = try await UVTCPServer.listen(host: "127.0.0.1", port: 0)
            let ends = Box<[String]>([])
            let serving = serve(loop, server, .onReset, ends) { connection in
                let bytes = try await connection.read()
                if bytes == nil { throw CancellationError() }
                await connection.close()
                try await Task.sleep(for: .milliseconds(5))
                try Task.checkCancellation()
            }
            let first = try await client(server)
            try await first.write("x")
            await wait(ends, for: 2)
            #expect(ends.value == ["began", "ended"])
            let second = try await client(server)
            try await second.shutdown()
            await wait(ends, for: 5)
            #expect(ends.value[2...] == ["began", "CancellationError", "told CancellationError"])
            let third = try await client(server)
            await wait(ends, for: 6)
            await server.close(gracePeriod: .zero)
            try await serving.value
            #expect(ends.value[5...] == ["began", "CancellationError", "told CancellationError"])
            await third.close()
        }
    }

    /// The client has ended its side, and is gone altogether later: only the kernel knows.
    @Test func aResetAfterTheEndOfStreamIsSeenAsWell() async throws {
        try await withTasks { loop in
            let (server, client, connection) = try await connected()
            try await client.shutdown()
            let end = try await connection.read()
            #expect(end == nil)
            let waiting = Task(executorPreference: loop) { await connection.closed }
            while !connection.state.isLookingOut { await Task.yield() }
            await client.close()
            // The kernel answers later bytes with a reset.
            while (try? await connection.write("x")) != nil { await Task.yield() }
            await waiting.value
            await connection.closed  // at once
            await connection.close()
            await server.close()
        }
    }

    @Test func closedReturns_onAReset_onACloseHere_andWhenCanceled() async throws {
        try await withTasks { loop in
            let server = try await UVTCPServer.listen(host: "127.0.0.1", port: 0)
            var accepted = server.connections.makeAsyncIterator()
            for way in 0..<3 {
                let client = try await client(server)
                let connection = try #require(try await accepted.next())
                let waiting = Task(executorPreference: loop) { await connection.closed }
                for _ in 0..<10 { await Task.yield() }
                switch way {
                case 0: try client.state.tcp.closeReset()
                case 1: await connection.close()
                default: waiting.cancel()
                }
                await waiting.value
                if way < 2 { await connection.closed }  // at once
                // Nothing is lost on the way.
                if way == 2 {
                    try await client.write("x")
                    let bytes = try await connection.read()
                    #expect(bytes == [UInt8(ascii: "x")])
                }
            }
            await server.close()
        }
    }

    /// Nobody reads, and the client has sent more than is kept.
    @Test func aResetBehindBytesThatNobodyTakesIsSeenAsWell() async throws {
        try await withTasks { loop in
            let (server, client, connection) = try await connected()
            let waiting = Task(executorPreference: loop) { await connection.closed }
            let writing = Task(executorPreference: loop) {
                try await client.write([UInt8](repeating: 1, count: 16 * 1024 * 1024))
            }
            while !connection.state.isLookingOut { await Task.yield() }
            try client.state.tcp.closeReset()
            await waiting.value
            _ = try? await writing.value
            #expect(connection.state.tcp.isClosing == false)
            await connection.close()
            await server.close()
        }
    }
}
