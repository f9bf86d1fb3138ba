import ArgumentParser
import Dispatch
import Foundation
import MonitoredUV

/// Times what tasks do most, on this process's default executor or on a loop, and prints nanoseconds for each.
@main
struct Concurrency: ParsableCommand {
    enum Executor: String, ExpressibleByArgument { case swift, swiftMetrics, run, runMain, monitored }

    @Option(
        help: "swift, swiftMetrics (SwiftExecutors), run (UVEventLoop.run), runMain, or monitored (with a monitor)."
    )
    var executor: Executor = .runMain

    @Option(help: "How often each is done.")
    var count = 200_000

    @Option(help: "Hops so often from a task on one loop to an actor on another instead.")
    var hops = 0

    @Option(help: "Let this many tasks sleep at once instead.")
    var sleepers = 0

    func run() throws {
        let (count, sleepers, hops) = (count, sleepers, hops)
        if hops > 0 { return try hopBetweenLoops(hops) }
        if sleepers > 0 { return try UVEventLoop.runMain { await sleepAll(sleepers) } }
        switch executor {
        case .swift, .swiftMetrics:
            if executor == .swiftMetrics { SwiftExecutors.monitor { _ in nil } }
            Task.detached {
                Self.report(await measure(count))
                Foundation.exit(0)
            }
            dispatchMain()
        case .run: Self.report(try UVEventLoop.run { await measure(count) })
        case .runMain: Self.report(try UVEventLoop.runMain { await measure(count) })
        case .monitored:
            nonisolated(unsafe) var dispatches = 0  // one loop, one thread
            Self.report(try UVEventLoop.runMain(monitor: { _ in dispatches += 1 }) { await measure(count) })
            print("dispatches: \(dispatches)")
        }
    }

    private static func report(_ results: [(name: String, nanoseconds: Int)]) {
        for (name, nanoseconds) in results { print("\(name): \(nanoseconds)") }
    }
}
