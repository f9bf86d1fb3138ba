import ArgumentParser
import NIOEcho

@main
struct NIOEchoServer: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "nioecho", abstract: "An echo server on SwiftNIO.")

    @Argument(help: "The port on 127.0.0.1.")
    var port: Int

    func run() throws { try runNIOEchoServer(port: port) }
}
