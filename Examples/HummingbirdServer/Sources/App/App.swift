import ArgumentParser
import Hummingbird
import MonitoredUV
import NIOMonitoring

/// A web server on Hummingbird. The first two lines of `run` have its loops and its tasks watched; everything else is as
/// Hummingbird's documentation shows it.
@main
struct App: AsyncParsableCommand {
    @Option(help: "The port to listen on.")
    var port = 8080

    func run() async throws {
        NIOLoops.monitor()
        SwiftExecutors.monitor()

        let app = Application(
            router: makeRouter(),
            configuration: .init(address: .hostname("127.0.0.1", port: port), serverName: "MonitoredUV")
        )
        // Ends, with the requests that are under way, on SIGINT and SIGTERM.
        try await app.runService()
    }
}
