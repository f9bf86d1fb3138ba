import Dispatch
import Foundation
import MonitoredUV
import MonitoredUVDiagnostics
import NIOMonitoring
import NIOPosix

/// A program in which everything is stuck until the file that its argument names is there: its loops, SwiftNIO's, Swift's
/// executor, Dispatch's queues, and the main thread. The environment says where it serves diagnostics.
@main
struct Stuck {
    static func main() throws {
        let file = CommandLine.arguments.dropFirst().first ?? ""
        NIOLoops.monitor { _ in nil }
        SwiftExecutors.monitor { _ in nil }
        let group = try UVEventLoopGroup(count: 2, name: "server")
        for loop in group.loops { loop.monitoring.level = .metrics }
        for loop in group.loops { loop.execute(name: "GET /stuck") { waitForFile(file) } }
        let nio = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        for loop in nio.makeIterator() { loop.execute { waitForFile(file) } }
        for _ in 0..<64 { Task.detached { waitForFile(file) } }
        while SwiftExecutors.all.isEmpty { usleep(1000) }
        for _ in 0..<64 { DispatchQueue.global().async { waitForFile(file) } }
        waitForFile(file)
        group.shutdown()
        try nio.syncShutdownGracefully()
    }
}

@inline(never)
private func waitForFile(_ path: String) { while access(path, F_OK) != 0 { usleep(1000) } }
