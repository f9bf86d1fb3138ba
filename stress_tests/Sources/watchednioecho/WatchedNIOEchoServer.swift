import ArgumentParser
import Dispatch
import Foundation
import MonitoredUV
import NIOEcho
import NIOMonitoring
import StressSupport

@main
struct WatchedNIOEchoServer: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watchednioecho",
        abstract: "The echo server on SwiftNIO, in a program that is linked with NIOMonitoring. Ends on SIGTERM."
    )

    @Argument(help: "The port on 127.0.0.1.")
    var port: Int

    @Option(help: "off: nothing is watched. metrics: statistics, and samples of long iterations.")
    var level = MonitoringLevel.off

    func run() throws {
        if level != .off { NIOLoops.monitor { _ in nil } }
        signal(SIGTERM, SIG_IGN)
        let termination = DispatchSource.makeSignalSource(signal: SIGTERM, queue: .global())
        termination.setEventHandler {
            let count = NIOLoops.all.reduce(0) { $0 + $1.snapshot().dispatches }
            print("dispatches: \(count)")
            Foundation.exit(0)
        }
        termination.resume()
        try runNIOEchoServer(port: port)
    }
}
