import ArgumentParser
import Foundation
import NIOCore
import NIOPosix
import StressSupport

/// Measures what posted closures and timers cost on a SwiftNIO event loop. Prints `what wall cpu`, nanoseconds for each.
@main
struct NIODispatches: ParsableCommand {
    enum What: String, ExpressibleByArgument { case posted_batch, posted_chain, posted_remote, timers }

    @Argument(help: "posted_batch, posted_chain, posted_remote or timers.")
    var what: What

    @Argument(help: "How many.")
    var count: Int

    func run() throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        let done = loop.makePromise(of: Void.self)
        let work = Work(loop, count, done)
        let stopwatch = Stopwatch()
        switch what {
        case .posted_batch: loop.execute { work.postBatch() }
        case .posted_chain: loop.execute { work.postNext() }
        case .posted_remote: for _ in 0..<count { loop.execute { work.one() } }
        case .timers: loop.execute { work.startTimers() }
        }
        try done.futureResult.wait()
        stopwatch.report(what.rawValue, count)
        try group.syncShutdownGracefully()
    }
}

/// `@unchecked Sendable` is sound: once work was posted, the event loop's thread alone touches what changes.
private final class Work: @unchecked Sendable {
    let loop: any EventLoop
    let done: EventLoopPromise<Void>
    var left: Int

    init(_ loop: any EventLoop, _ count: Int, _ done: EventLoopPromise<Void>) {
        self.loop = loop
        self.done = done
        left = count
    }

    func one() {
        left -= 1
        if left == 0 { done.succeed() }
    }

    func postBatch() {
        for _ in 0..<min(1000, left) { loop.execute { self.one() } }
        if left > 1000 { loop.execute { self.postBatch() } }
    }

    func postNext() {
        one()
        if left > 0 { loop.execute { self.postNext() } }
    }

    func startTimers() {
        var random: UInt32 = 12345
        for _ in 0..<left {
            random = random &* 1_664_525 &+ 1_013_904_223
            loop.scheduleTask(in: .milliseconds(Int64(1 + (random >> 8) % 100))) { self.one() }
        }
    }
}
