import Dispatch
import Foundation
import Testing

@testable import MonitoredUV

@Suite struct ThreadPoolTests {
    private final class Item: Sendable {
        let number: Int
        init(_ number: Int) { self.number = number }
    }

    @Test func threads_startAsNeeded_andEndWhenIdle() throws {
        let performed = Counter()
        let pool = ThreadPool<Item>(name: "test", atMost: 4, idleTime: .milliseconds(1)) { _ in performed.count() }
        #expect(pool.threadCount == 0)
        for round in 1...3 {
            try pool.add(Item(round))
            while performed.value < round || pool.threadCount > 0 { usleep(100) }
        }
    }

    @Test func workWaits_beyondTheLimit_inItsOrder() throws {
        let numbers = Lock<[Int]>([])
        let gate = DispatchSemaphore(value: 0)
        let pool = ThreadPool<Item>(name: "test", atMost: 1) { item in
            gate.wait()
            numbers.withLock { $0.append(item.number) }
        }
        let items = (0..<100).map(Item.init)
        for item in items { try pool.add(item) }
        #expect(pool.threadCount == 1)
        for _ in items { gate.signal() }
        while numbers.withLock({ $0.count }) < 100 { usleep(100) }
        #expect(numbers.withLock { $0 } == Array(0..<100))
        #expect(pool.threadCount == 1)
    }

    /// From several threads at once, with threads that end meanwhile.
    @Test func noItem_isLostOrPerformedTwice() throws {
        let counts = Lock(Array(repeating: 0, count: 4000))
        let done = Counter()
        let pool = ThreadPool<Item>(name: "test", atMost: 3, idleTime: .microseconds(50)) { item in
            counts.withLock { $0[item.number] += 1 }
            done.count()
        }
        let adders = try (0..<4).map { adder in
            try LoopThread(name: "adder") {
                for number in 0..<1000 {
                    succeed { try pool.add(Item(adder * 1000 + number)) }
                    if number % 50 == 0 { usleep(200) }
                }
            }
        }
        adders.forEach { $0.join() }
        while done.value < 4000 { usleep(100) }
        #expect(counts.withLock { $0.allSatisfy { $0 == 1 } })
        #expect(pool.threadCount <= 3)
    }
}
