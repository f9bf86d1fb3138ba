import ArgumentParser
import Foundation
import MonitoredUV

/// A server on a monitored loop, and what the monitor saw.
@main
struct Demo: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Runs a TCP server on a monitored loop, and shows what blocked it and what waited.",
        discussion: """
            Without --port, built-in clients use the server for some seconds. With --port, it serves until interrupted: \
            try 'nc 127.0.0.1 PORT', and type ping, slow, or block.
            """
    )

    @Option(help: "Serve on this port of 127.0.0.1 until interrupted (Ctrl-C).")
    var port: Int?

    @Option(help: "Write the flight recorder's trace here at the end.")
    var trace: String?

    @Option(help: "The number of seconds that the clients run.")
    var seconds = 4

    @Option(help: "The number of clients.")
    var clients = 40

    func validate() throws {
        if let port { try check("--port", port, 1...65_535) }
        try check("--seconds", seconds, 1...3600)
        try check("--clients", clients, 1...5000)
    }

    private func check(_ name: String, _ value: Int, _ range: ClosedRange<Int>) throws {
        if !range.contains(value) {
            throw ValidationError("\(name) must be from \(range.lowerBound) to \(range.upperBound), not \(value).")
        }
    }

    func run() throws {
        let loop = try UVEventLoop(name: "server")
        loop.monitoring.startWatchdog(limit: .milliseconds(100)) { Console.line("\($0)") }
        let server = try listen(on: loop)
        if let port { try serve(loop, port) } else { try drive(loop, server) }
        server.close()
        try loop.run()
        Console.line("\n\(loop.monitoring.snapshot())")
        if let trace { try write(trace, of: loop) }
        try loop.close()
    }

    private func write(_ path: String, of loop: UVEventLoop) throws {
        do { try loop.monitoring.writeTrace(to: path) } catch {
            FileHandle.standardError.write(Data("demo: the trace cannot be written: \(error)\n".utf8))
            throw ExitCode(1)
        }
        Console.line("\nThe last dispatches are in \(path): open it in https://ui.perfetto.dev or chrome://tracing.")
    }

    /// The server, or a message of one line where its port is taken.
    private func listen(on loop: UVEventLoop) throws -> DemoServer {
        do {
            return try DemoServer(on: loop, port: port ?? 0)
        } catch let error as UVError {
            try loop.run()
            try loop.close()
            FileHandle.standardError.write(Data("demo: cannot listen on 127.0.0.1:\(port ?? 0): \(error)\n".utf8))
            throw ExitCode(1)
        }
    }

    /// For a person with `nc`, until Ctrl-C.
    private func serve(_ loop: UVEventLoop, _ port: Int) throws {
        Console.line("Serving on 127.0.0.1:\(port). Try: nc 127.0.0.1 \(port), then ping, slow or block. Ctrl-C ends.")
        let signals = try [.interrupt, .terminate].map { signal in try loop.onSignal(signal) { loop.stop() } }
        try loop.run()
        signals.forEach { $0.close() }
        try loop.run(.noWait)
    }

    /// With clients on a loop and thread of their own, for some seconds.
    private func drive(_ loop: UVEventLoop, _ server: DemoServer) throws {
        let address = try server.address
        Console.line("A server on \(address); clients: \(clients); seconds: \(seconds).")
        let group = try UVEventLoopGroup(count: 1, name: "clients")
        defer { group.shutdown() }
        let load = DemoClients(on: group.next(), count: clients, address: address)
        load.start()
        for second in 1...seconds {
            loop.callLater(.seconds(second), name: "progress") {
                Console.progress("\(second) of \(seconds) s: \(load.answers) answers")
                if second == seconds { loop.stop() }
            }
        }
        try loop.run()
    }
}
