import ArgumentParser
import Hummingbird
import MonitoredUV
import NIOMonitoring
import Web

/// A server like HummingbirdServer with its tasks on loops of this library, in place of Swift's own threads; its sockets stay SwiftNIO's.
@main
struct HummingbirdOnLoops: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Serves HTTP with Hummingbird, whose tasks run on loops.")

    @Option(help: "The port to listen on.")
    var port = 8080

    @Option(help: "The number of loops that share the tasks, besides the one of the main thread.")
    var workers = 2

    func run() throws {
        NIOLoops.monitor()
        try UVEventLoop.runMain(workers: workers) {
            for loop in Monitoring.all where loop.level == .off { loop.startWatchdog() }
            try await makeApplication(port: port).runService()
        }
    }
}
