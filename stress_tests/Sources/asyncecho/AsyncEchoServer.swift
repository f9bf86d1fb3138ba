import ArgumentParser
import Foundation
import MonitoredUV

/// Echoes on one loop, with one task for each connection.
@main
struct AsyncEchoServer: ParsableCommand {
    @Option(help: "The port on 127.0.0.1.")
    var port: Int

    @Option(help: "Ends after so many connections; 0 for never.")
    var connections = 0

    @Flag(help: "Monitors, and prints how many dispatches there were.")
    var monitor = false

    func run() throws {
        let (port, limit) = (port, connections)
        // Memory of its own, so that Swift's exclusivity checks of a captured variable are not charged to the monitor.
        nonisolated(unsafe) let dispatches = UnsafeMutablePointer<Int>.allocate(capacity: 1)  // one loop, one thread
        dispatches.initialize(to: 0)
        defer { dispatches.deallocate() }
        let count: @Sendable (borrowing IOLoopMonitorState) -> Void = { _ in dispatches.pointee &+= 1 }
        try UVEventLoop.runMain(monitor: monitor ? count : nil) {
            let server = try await UVTCPServer.listen(host: "127.0.0.1", port: port)
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
        }
        print("dispatches: \(dispatches.pointee)")
    }
}

private func echo(_ connection: UVTCPConnection) async throws {
    for try await bytes in connection.inbound { try await connection.write(bytes) }
}
