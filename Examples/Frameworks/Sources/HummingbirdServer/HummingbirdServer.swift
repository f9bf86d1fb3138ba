import ArgumentParser
import Hummingbird
import MonitoredUV
import NIOMonitoring
import Web

/// A web server on Hummingbird as it is. The first two lines of `run` have its loops and its tasks watched.
@main
struct HummingbirdServer: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serves HTTP with Hummingbird, whose loops and tasks are watched."
    )

    @Option(help: "The port to listen on.")
    var port = 8080

    func run() async throws {
        NIOLoops.monitor()
        SwiftExecutors.monitor()

        // Ends on SIGINT and SIGTERM, after the requests that are under way.
        try await makeApplication(port: port).runService()
    }
}
