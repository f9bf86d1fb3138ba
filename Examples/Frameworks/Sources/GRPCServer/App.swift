import ArgumentParser
import Echo
import MonitoredUV
import NIOMonitoring

/// A gRPC server as it is. The first two lines of `run` have its loops and its tasks watched.
@main
struct App: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "GRPCServer",
        abstract: "Serves gRPC, whose loops and tasks are watched."
    )

    @Option(help: "The port to listen on.")
    var port = 50051

    func run() async throws {
        NIOLoops.monitor()
        SwiftExecutors.monitor()

        try await Echo.makeServer(port: port).serve()
    }
}
