import Foundation
import MonitoredUV

/// Closures of another thread, timers, and tasks that another thread wakes.
final class ExactLag {
    private let count: Int
    private static let tolerance: UInt64 = 100_000

    init(count: Int) { self.count = count }

    func run() throws -> [(String, Share)] {
        [("posted", try posted()), ("timers", try timers()), ("jobs", try jobs())]
    }

    /// Compares what the dispatch found out by itself with what the monitor is told of it.
    private final class Comparison {
        private(set) var share = Share()
        private var blocks = RandomBlocks()
        private var delay: UInt64?

        init(on loop: UVEventLoop) {
            loop.setMonitor { [unowned self] state in
                guard let delay else { return }
                self.delay = nil
                let told = UInt64(state.loopLag / .nanoseconds(1))
                share.add(max(told, delay) - min(told, delay) <= ExactLag.tolerance)
            }
        }

        /// At the beginning of a dispatch that was ready at this instant.
        func started(ready: UInt64) {
            let now = nanoseconds()
            delay = now > ready ? now - ready : 0
            blocks.next()
        }
    }

    private func posted() throws -> Share {
        let loop = try UVEventLoop()
        let comparison = Comparison(on: loop)
        let bound = UVLoopBound(comparison, to: loop)
        let keep = try UVAsync(on: loop) {}
        let open = UVLoopBound(keep, to: loop)
        let sender = Thread { [count] in
            stayOn(processor: 1)
            for number in 1...count {
                let now = nanoseconds()
                loop.execute {
                    bound.value.started(ready: now)
                    if number == count { open.value.close() }
                }
                let end = nanoseconds() + UInt64.random(in: 0..<200_000)
                while nanoseconds() < end {}
            }
        }
        sender.start()
        try loop.run()
        try loop.close()
        return comparison.share
    }

    private func timers() throws -> Share {
        let loop = try UVEventLoop()
        let comparison = Comparison(on: loop)
        var left = count
        func arm() {
            if left == 0 { return }
            left -= 1
            let delay = UInt64.random(in: 0..<3_000_000)
            let due = nanoseconds() + delay
            loop.callLater(.nanoseconds(Int64(delay))) {
                arm()
                comparison.started(ready: due)
            }
        }
        for _ in 0..<10 { arm() }
        try loop.run()
        try loop.close()
        return comparison.share
    }

    private func jobs() throws -> Share {
        let count = count
        return try UVEventLoop.run {
            let loop = UVEventLoop.current!
            let comparison = Comparison(on: loop)
            for _ in 0..<count {
                let ready = await withCheckedContinuation { (continuation: CheckedContinuation<UInt64, Never>) in
                    Waker.shared.wake { continuation.resume(returning: nanoseconds()) }
                }
                comparison.started(ready: ready)
            }
            loop.setMonitor(nil)
            return comparison.share
        }
    }
}

/// A thread that does something a moment later.
private final class Waker: Sendable {
    static let shared = Waker()
    private let queue = DispatchQueue(label: "waker")

    func wake(_ body: @escaping @Sendable () -> Void) {
        queue.async {
            usleep(UInt32.random(in: 50..<300))
            body()
        }
    }
}
