import Synchronization
import Testing

@testable import MonitoredUV

@Suite struct ExecutorStressTests {
    private actor Tally {
        nonisolated let loop: UVEventLoop
        nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
        init(_ loop: UVEventLoop) { self.loop = loop }
        /// Not atomic: the actor alone keeps it right.
        private(set) var count = 0
        func add() { count += 1 }
    }

    @Test func eightThreadsThatEnqueue100_000JobsEachByBothRoutesLoseNoneAndRunNoneTwice() async throws {
        try await waitForThread { succeed { try enqueueFromManyThreads() } }
    }

    private func enqueueFromManyThreads() throws {
        let (threads, each) = (8, 100_000)
        let group = try UVEventLoopGroup(count: 1)
        let loop = group.loops[0]
        let tally = Tally(loop)
        // Not atomic either: all of these run on the loop's one thread.
        let tasks = Box(0)
        let done = Counter()
        var running: [LoopThread] = []
        for _ in 0..<threads {
            running.append(
                try LoopThread(name: "enqueue") {
                    for number in 0..<each {
                        if number % 2 == 0 {
                            Task(executorPreference: loop) {
                                tasks.value += 1
                                done.count()
                            }
                        } else {
                            Task(executorPreference: globalConcurrentExecutor) { [tally] in
                                await tally.add()
                                done.count()
                            }
                        }
                    }
                }
            )
        }
        for thread in running { thread.join() }
        while done.value < threads * each { spin(.milliseconds(1)) }
        let counted = Box(0)
        try onLoop(loop) { counted.value = tally.assumeIsolated { $0.count } }
        #expect(tasks.value == threads * each / 2)
        #expect(counted.value == threads * each / 2)
        #expect(loop.shared.remote.count == 0)
        group.shutdown()
    }

    /// Runs `body` on the loop's thread and waits for it.
    private func onLoop(_ loop: UVEventLoop, _ body: @escaping @Sendable () -> Void) throws {
        let done = Counter()
        loop.execute {
            body()
            done.count()
        }
        while done.value == 0 { spin(.milliseconds(1)) }
    }
}
