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

    func run() throws {
        let (port, level) = (port, level)
        try UVEventLoop.runMain {
            let server = try await UVTCPServer.listen(host: "127.0.0.1", port: port, backlog: 1024)
            try SeenDispatches(on: server.loop, at: level).reportOnTermination()
            print("ready")
            fflush(nil)
            try await server.serve { connection in
                for try await bytes in connection.inbound { try await connection.write(bytes) }
            } onError: { _, _ in
            }
        }
    }
}
