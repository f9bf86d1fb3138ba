import ArgumentParser
import Foundation
import MonitoredUV
import StressSupport

/// Measures what posted closures and timers cost on a loop. Prints `what wall cpu`, nanoseconds for each.
@main
struct Dispatches: ParsableCommand {
    enum What: String, ExpressibleByArgument { case posted_batch, posted_chain, posted_remote, timers }

    @Argument(
        help: """
            posted_batch: a thousand at a time. posted_chain: each posts the next, an iteration for each. \
            posted_remote: from another thread. timers: all at once, due within 100 ms.
            """
    )
    var what: What

    @Argument(help: "How many.")
    var count: Int

    @Option(help: "off, metrics, or callbacks: a monitor that counts as well.")
    var level = MonitoringLevel.off

    @Option(help: "How many handles are open meanwhile: timers that are not yet due.")
    var handles = 0

    func run() throws {
        let loop = try UVEventLoop()
        let seen = SeenDispatches(on: loop, at: level)
        for _ in 0..<handles {
            let timer = UVTimer(on: loop) { _ in }
            timer.start(after: .seconds(3600))
            timer.unref()
        }
        try loop.run(.noWait)
        let work = Work(loop, count)
        let stopwatch = Stopwatch()
        switch what {
        case .posted_batch: work.postBatch()
        case .posted_chain: loop.callSoon { work.postNext() }
        case .posted_remote: try work.postFromAnotherThread()
        case .timers: work.startTimers()
        }
        try loop.run()
        stopwatch.report(what.rawValue, count)
        if work.left != 0 { fatalError("\(work.left) did not run") }
        if level != .off && seen.count < count { fatalError("the monitor saw \(seen.count) of \(count) dispatches") }
    }

    private final class Work {
        let loop: UVEventLoop
        var left: Int

        init(_ loop: UVEventLoop, _ count: Int) {
            self.loop = loop
            left = count
        }

        func postBatch() {
            let batch = min(1000, left)
            for number in 1...batch {
                loop.callSoon { [self] in
                    left -= 1
                    if number == batch && left > 0 { postBatch() }
                }
            }
        }

        func postNext() {
            left -= 1
            if left > 0 { loop.callSoon { [self] in postNext() } }
        }

        func postFromAnotherThread() throws {
            // Keeps the loop going until the last one came.
            let open = try UVAsync(on: loop) {}
            let (loop, count) = (loop, left)
            let bound = UVLoopBound((self, open), to: loop)
            Thread.detachNewThread {
                for _ in 0..<count {
                    loop.execute {
                        let (work, open) = bound.value
                        work.left -= 1
                        if work.left == 0 { open.close() }
                    }
                }
            }
        }

        func startTimers() {
            var random: UInt32 = 12345
            for _ in 0..<left {
                random = random &* 1_664_525 &+ 1_013_904_223
                loop.callLater(.milliseconds(Int(1 + (random >> 8) % 100))) { [self] in left -= 1 }
            }
        }
    }
}
