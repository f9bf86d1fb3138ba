import ArgumentParser
import MonitoredUV

/// What a dispatch costs at each level, on one thread: closures that are posted and run in batches, and a closure that
/// posts the next one, which makes each an iteration of its own.
@main
struct Dispatches: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dispatches",
        abstract: "Nanoseconds for each posted closure, at each level of monitoring."
    )

    @Option(help: "How many closures.")
    var count = 1_000_000

    @Option(help: "How many rounds, of which the least counts.")
    var rounds = 7

    private static let batch = 1000

    func run() throws {
        var least: [String: Double] = [:]
        for _ in 0..<rounds {
            for level in MonitoringLevel.allCases {
                for (name, isBatch) in [("in a batch", true), ("one after the other", false)] {
                    let key = "\(name), \(level)"
                    least[key] = min(least[key] ?? .infinity, try measure(level, isBatch))
                }
            }
        }
        for name in least.keys.sorted() { print("\(name): \(least[name]!)") }
    }

    /// The nanoseconds that each closure takes.
    private func measure(_ level: MonitoringLevel, _ isBatch: Bool) throws -> Double {
        let loop = try UVEventLoop()
        let seen = UnsafeMutablePointer<Int>.allocate(capacity: 1)
        seen.initialize(to: 0)
        defer { seen.deallocate() }
        if level == .callbacks { loop.setMonitor { _ in seen.pointee &+= 1 } }
        loop.monitoring.level = level
        try loop.run(.noWait)
        let work = Work(loop, count)
        let start = ContinuousClock.now
        if isBatch { work.postBatch() } else { work.postNext() }
        try loop.run()
        let passed = ContinuousClock.now - start
        try loop.close()
        if work.left != 0 { fatalError("\(work.left) closures did not run") }
        let expected = level == .callbacks ? count : 0
        if seen.pointee < expected { fatalError("the monitor saw \(seen.pointee) of \(count) dispatches") }
        if level != .off && loop.monitoring.snapshot().dispatches < count { fatalError("the metrics miss dispatches") }
        return passed / .nanoseconds(count)
    }

    private final class Work {
        let loop: UVEventLoop
        var left: Int

        init(_ loop: UVEventLoop, _ count: Int) {
            self.loop = loop
            left = count
        }

        func postBatch() {
            for number in 1...Dispatches.batch {
                loop.callSoon { [self] in
                    left -= 1
                    if number == Dispatches.batch && left > 0 { postBatch() }
                }
            }
        }

        func postNext() {
            loop.callSoon { [self] in
                left -= 1
                if left > 0 { postNext() }
            }
        }
    }
}
