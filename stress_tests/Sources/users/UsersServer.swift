import ArgumentParser
import Foundation
import MonitoredUV
import StressSupport

/// Answers "ping" at once and "slow" after a while, for many users, each with a task of its own.
@main
struct UsersServer: ParsableCommand {
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
            try await server.serve({ try await answer($0) }, onError: { _, _ in })
        }
    }
}

private func answer(_ connection: UVTCPConnection) async throws {
    var line: [UInt8] = []
    for try await bytes in connection.inbound {
        line += bytes
        guard line.last == UInt8(ascii: "\n") else { continue }
        if line.first == UInt8(ascii: "s") {
            for _ in 0..<5 { try await Task.sleep(for: .milliseconds(20)) }
        }
        line.removeAll(keepingCapacity: true)
        try await connection.write("done\n")
    }
}
