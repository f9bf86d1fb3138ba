import ArgumentParser
import Foundation
import MonitoredUV

/// Echoes on the loops of a group, with some work for the processor before each answer.
@main
struct GroupEchoServer: ParsableCommand {
    @Argument(help: "The port of 127.0.0.1 to listen on.")
    var port: Int

    @Option(help: "How many loops, each on a thread of its own.")
    var loops = 1

    @Option(help: "Steps of work for each piece of bytes that comes, of one or two nanoseconds each.")
    var work = 0

    func run() throws {
        let (port, loops, work) = (port, loops, work)
        try UVEventLoop.runMain {
            try await UVEventLoopGroup.withGroup(count: loops) { group in
                let server = try await UVTCPServer.listen(host: "127.0.0.1", port: port, backlog: 1024, on: group)
                print("ready")
                fflush(nil)
                try await server.serve { connection in
                    for try await bytes in connection.inbound {
                        // So that the compiler leaves the work in.
                        if Self.doWork(work, Int(bytes[0])) == .max { continue }
                        try await connection.write(bytes)
                    }
                } onError: { _, _ in
                }
            }
        }
    }

    /// Steps that need each other's results.
    private static func doWork(_ steps: Int, _ seed: Int) -> Int {
        var sum = seed | 1
        for _ in 0..<steps { sum = (sum ^ sum >> 7) &* 6_364_136_223_846_793_005 | 1 }
        return sum
    }
}
