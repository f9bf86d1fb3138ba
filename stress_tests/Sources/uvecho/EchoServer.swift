import ArgumentParser
import Foundation
import MonitoredUV

/// The server whose cost per message is measured: it writes back what it reads.
@main
struct EchoServer: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "uvecho",
        abstract: "A TCP echo server on UVEventLoop."
    )

    enum Monitor: String, ExpressibleByArgument, CaseIterable { case off, metrics, count }

    @Option(help: "The port of 127.0.0.1 to listen on.")
    var port: Int

    @Option(help: "off: nothing is noted. metrics: statistics. count: a monitor that counts as well.")
    var monitor = Monitor.off

    @Option(help: "End after this many connections have closed, so that a profiler sees a whole run.")
    var connections = Int.max

    func run() throws {
        // Memory of its own, so that Swift's exclusivity checks of a captured variable are not charged to the monitor.
        let dispatches = UnsafeMutablePointer<Int>.allocate(capacity: 1)
        dispatches.initialize(to: 0)
        defer { dispatches.deallocate() }
        let loop = try UVEventLoop()
        if monitor == .metrics { loop.monitoring.level = .metrics }
        if monitor == .count { loop.setMonitor { _ in dispatches.pointee &+= 1 } }
        var left = connections
        let server = try UVTCP(on: loop)
        try server.bind(to: UVSocketAddress("127.0.0.1", port: port))
        try server.listen(backlog: 1024) { connection in
            do {
                let client = try connection.get()
                try client.setNoDelay(true)
                try client.startReading { bytes in
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
        print("ready")
        fflush(nil)
        try loop.run()
        try loop.close()
        print("dispatches: \(monitor == .count ? dispatches.pointee : loop.monitoring.snapshot().dispatches)")
    }
}
