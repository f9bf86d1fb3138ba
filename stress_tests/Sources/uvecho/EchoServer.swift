import ArgumentParser
import Foundation
import MonitoredUV
import StressSupport

/// The server whose cost per message is measured: it writes back what it reads.
@main
struct EchoServer: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "uvecho",
        abstract: "A TCP echo server on UVEventLoop. Ends on SIGTERM, and says what the monitor saw."
    )

    @Argument(help: "The port of 127.0.0.1 to listen on.")
    var port: Int

    @Option(help: "off: nothing is noted. metrics: statistics. callbacks: a monitor that counts as well.")
    var level = MonitoringLevel.off

    @Option(help: "End after this many connections have closed, so that a profiler sees a whole run.")
    var connections = Int.max

    @Option(help: "Waste this many nanoseconds with each message: a slower server, to be found out.")
    var waste = 0

    func run() throws {
        let loop = try UVEventLoop()
        let seen = SeenDispatches(on: loop, at: level)
        var left = connections
        let waste = waste
        let server = try UVTCP(on: loop)
        try server.bind(to: UVSocketAddress("127.0.0.1", port: port))
        try server.listen(backlog: 1024) { connection in
            do {
                let client = try connection.get()
                try client.setNoDelay(true)
                try client.startReading { bytes in
                    if waste > 0 { Self.spin(.nanoseconds(waste)) }
                    do { try client.write(bytes) } catch { client.close() }
                } onEnd: { _ in
                    client.close()
                    left -= 1
                    if left == 0 { server.close() }
                }
            } catch {
                print("accept: \(error)")
            }
        }
        try seen.reportOnTermination()
        print("ready")
        fflush(nil)
        try loop.run()
        print("dispatches: \(seen.count)")
        Foundation.exit(0)
    }

    private static func spin(_ length: Duration) {
        let end = ContinuousClock.now + length
        while ContinuousClock.now < end {}
    }
}
