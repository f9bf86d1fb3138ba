import ArgumentParser
import Foundation
import MonitoredUV
import Synchronization

/// Servers and visitors in one process for as long as one likes: connections come and go, in good order and not, and now
/// and then the servers' loop is blocked. Prints as JSON what the process held when it had warmed up and what it holds at
/// the end, with nobody connected each time, and what was seen meanwhile.
@main
struct Soak: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "soak",
        abstract: "Churn, resets and blocks; memory and handles before and after."
    )

    @Option(help: "How long, in seconds. Up to five minutes of it are for warming up.")
    var seconds = 60.0

    @Option(help: "How many visitors there are at a time.")
    var visitors = 20

    private struct Report: Encodable {
        let seconds: Double
        let before, after: Holdings
        let counts: Counts.Values
        let blocks, blocksReported, reportsLeftOut: Int
        let dispatches, dispatchesMonitored: Int
    }

    func run() throws {
        let counts = Counts()
        let monitored = Atomic<Int>(0)
        let group = try UVEventLoopGroup(count: 2, name: "soak") { _ in monitored.wrappingAdd(1, ordering: .relaxed) }
        let blocks = try Blocks(on: group.loops[0], each: .seconds(min(15, seconds / 4)))
        let servers = try Servers(on: group.loops[0])
        let work = Visitors(of: servers, on: group.loops[1], counts)

        let warmUp = min(300, seconds * 0.3)
        work.visit(for: .seconds(warmUp), at: visitors)
        let before = try Holdings.settled(group.loops)
        let start = ContinuousClock.now
        work.visit(for: .seconds(seconds - warmUp), at: visitors)
        let passed = ContinuousClock.now - start
        let after = try Holdings.settled(group.loops)

        blocks.stop()
        servers.stop()
        let dispatches = group.loops.reduce(0) { $0 + $1.monitoring.snapshot().dispatches }
        let seen = monitored.load(ordering: .relaxed)
        group.shutdown()
        let report = Report(
            seconds: passed / .seconds(1),
            before: before,
            after: after,
            counts: counts.values,
            blocks: blocks.made,
            blocksReported: blocks.reported,
            reportsLeftOut: blocks.leftOut,
            dispatches: dispatches,
            dispatchesMonitored: seen
        )
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        print(String(decoding: try encoder.encode(report), as: UTF8.self))
    }
}
