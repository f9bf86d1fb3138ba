import ArgumentParser
import Foundation
import MonitoredUV
import StressSupport

/// Echoes on one loop, with a task for each connection.
@main
struct AsyncEchoServer: ParsableCommand {
    @Argument(help: "The port of 127.0.0.1 to listen on.")
    var port: Int

    @Option(help: "off, metrics, or callbacks: a monitor that counts as well.")
    var level = MonitoringLevel.off

    @Option(help: "End after this many connections, so that a profiler sees a whole run.")
    var connections = Int.max

    func run() throws {
        let (port, level, limit) = (port, level, connections)
        try UVEventLoop.runMain {
            let server = try await UVTCPServer.listen(host: "127.0.0.1", port: port, backlog: 1024)
            let seen = SeenDispatches(on: server.loop, at: level)
            try seen.tellOnTermination()
            print("ready")
            fflush(nil)
            var served = 0
            try await withThrowingDiscardingTaskGroup { group in
                for try await connection in server.connections {
                    group.addTask { try? await echo(connection) }
                    served += 1
                    if served == limit { break }
                }
            }
            print("dispatches: \(seen.count)")
        }
    }
}

private func echo(_ connection: UVTCPConnection) async throws {
    for try await bytes in connection.inbound { try await connection.write(bytes) }
}
