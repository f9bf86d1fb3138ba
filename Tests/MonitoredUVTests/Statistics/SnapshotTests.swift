import Foundation
import Testing

@testable import MonitoredUV

struct SnapshotTests {
    @Test func snapshot_countsEveryDispatch_byKindSourceAndName() throws {
        try withLoop { loop in
            loop.monitoring.level = .metrics
            try loop.run(.noWait)
            for _ in 0..<7 { loop.callSoon(name: "posted here") {} }
            try onOtherThread { for _ in 0..<5 { loop.execute(name: "posted there") {} } }
            loop.callLater(.milliseconds(1), name: "timer") {}
            try loop.run()
            let snapshot = loop.monitoring.snapshot()
            #expect(snapshot.dispatches == 13)
            #expect(snapshot.wallTime(.posted).count == 12)
            #expect(snapshot.wallTime(.timer).count == 1)
            #expect(snapshot.lag(.local).count == 7)
            #expect(snapshot.lag(.remote).count == 5)
            #expect(snapshot.lag(.timer).count == 1)
            #expect(snapshot.lag(.io).count == 0)
            #expect(snapshot.lag.count == 13)
            #expect(snapshot.enqueues.localPosts == 7)
            #expect(snapshot.enqueues.remotePosts == 5)
            #expect(snapshot.wakeups >= 1 && snapshot.wakeups <= 6)
            let counts = Dictionary(uniqueKeysWithValues: snapshot.names.map { ($0.callbackName, $0.count) })
            #expect(counts == ["posted here": 7, "posted there": 5, "timer": 1])
            #expect(snapshot.queueLength == 0)
            #expect(snapshot.queueLengthPeak == 12)
            #expect(snapshot.iterations.count >= 1)
            #expect(snapshot.running == nil)
            #expect(snapshot.names.reduce(.zero) { $0 + $1.total } == snapshot.time.callbacks)
            #expect(snapshot.wallTime.sum == snapshot.time.callbacks)
        }
    }

    @Test func snapshot_countsJobs() async throws {
        try await withTasks { loop in
            loop.monitoring.level = .metrics
            let before = loop.monitoring.snapshot()
            for _ in 0..<100 { await Task.yield() }
            let jobs = loop.monitoring.snapshot() - before
            #expect(jobs.lag(.job).count >= 99)
            #expect(jobs.enqueues.localJobs >= 99)
            // The thread goes on only when the task has gone to sleep.
            try await waitForThread { while loop.monitoring.snapshot().running != nil {} }
            let remote = loop.monitoring.snapshot() - before
            #expect(remote.enqueues.remoteJobs >= 1)
        }
    }

    @Test func snapshot_namesWhatTheLoopHolds() throws {
        try withLoop { loop in
            loop.monitoring.level = .metrics
            let timers = (0..<3).map { _ in UVTimer(on: loop) { _ in } }
            let callbacks = (0..<5).map { _ in loop.callLater(.seconds(1000)) {} }
            try loop.run(.noWait)
            #expect(loop.monitoring.snapshot().timers == 5)
            let (server, address) = try loop.server { _ in }
            #expect(loop.monitoring.snapshot().handles == ["timer": 3, "tcp": 1])
            let client = try UVTCP(on: loop)
            try client.connect(to: address) { _ in }
            #expect(loop.monitoring.snapshot().requests == ["connect": 1])
            timers.forEach { $0.close() }
            callbacks.forEach { $0.cancel() }
            client.close()
            server.close()
            try loop.run()
            #expect(loop.monitoring.snapshot().timers == 0)
            #expect(loop.monitoring.snapshot().handles == [:])
            #expect(loop.monitoring.snapshot().requests == [:])
        }
    }

    @Test func snapshot_isRightWhileTheLoopIsStuck() throws {
        try withLoop { loop in
            loop.monitoring.level = .metrics
            let stuck = DispatchSemaphore(value: 0)
            let seen = DispatchSemaphore(value: 0)
            loop.callSoon(name: "first") { spin(.milliseconds(2)) }
            loop.callSoon(name: "stuck") {
                stuck.signal()
                seen.wait()
            }
            for _ in 0..<4 { loop.callSoon(name: "waiting") {} }
            let observer = try LoopThread(name: "observer") {
                stuck.wait()
                let first = loop.monitoring.snapshot()
                while loop.monitoring.snapshot().running!.age < .milliseconds(30) {}
                let later = loop.monitoring.snapshot()
                #expect(first.running?.callbackName == "stuck")
                #expect(first.running?.kind == .posted)
                // What ended in the iteration that is going on is in it, and what waits.
                #expect(first.names.map(\.callbackName) == ["first"])
                #expect(first.wallTime.sum >= .milliseconds(2))
                #expect(first.queueLength == 4)
                #expect(later.time.callbacks >= .milliseconds(30))
                #expect((later - first).time.utilization == 1)
                #expect((later - first).dispatches == 0)
                #expect(loop.monitoring.smoothedLag > .milliseconds(1))
                seen.signal()
            }
            try loop.run()
            observer.join()
            #expect(loop.monitoring.snapshot().running == nil)
        }
    }

    @Test func blame_fallsOnWhatKeptOthersWaiting() throws {
        try withLoop { loop in
            loop.monitoring.level = .metrics
            loop.callSoon(name: "setting") {
                loop.callSoon(name: "blocks") { spin(.milliseconds(20)) }
                for _ in 0..<39 { loop.callSoon(name: "waits") {} }
            }
            try loop.run()
            let snapshot = loop.monitoring.snapshot()
            let blocks = try #require(snapshot.names.first { $0.callbackName == "blocks" })
            // Each of the 39 waited for the whole of it.
            #expect(blocks.blame == blocks.total * 39)
            // "setting" is blamed, too: for the time between its posts and its end, which is long on a busy machine.
            let top = try #require(snapshot.top(1, by: .blame).first)
            #expect(top.blame == snapshot.names.map(\.blame).max())
        }
    }

    @Test func poll_thatReturnsLate_isSeen() throws {
        try withLoop { loop in
            loop.monitoring.level = .metrics
            var calls = 0
            loop.callLater(.milliseconds(5), repeating: .milliseconds(5)) { timer in
                calls += 1
                if calls == 5 { timer.cancel() }
            }
            try loop.run()
            let delays = loop.monitoring.snapshot().pollDelays
            #expect((1...5).contains(delays.count))
            #expect(delays.max < .seconds(60))
        }
    }

    @Test func utilization_isThatOfTheInterval() throws {
        try withLoop(attempts: 5) { loop in
            loop.monitoring.level = .metrics
            loop.callSoon { spin(.milliseconds(20)) }
            try loop.run()
            let before = loop.monitoring.snapshot()
            loop.callLater(.milliseconds(50)) {}
            let start = ContinuousClock.now
            try loop.run()
            let length = ContinuousClock.now - start
            let interval = loop.monitoring.snapshot() - before
            #expect(interval.time.elapsed <= length)
            return before.time.utilization > 0.9 && interval.time.utilization < 0.5
                && interval.time.elapsed >= length * 0.9
        }
    }

    @Test func snapshots_canBeAddedAndSent() throws {
        try withLoop { one in
            try withLoop { other in
                var snapshots: [LoopSnapshot] = []
                for loop in [one, other] {
                    loop.monitoring.level = .metrics
                    loop.callSoon(name: "same") {}
                    try loop.run()
                    snapshots.append(loop.monitoring.snapshot())
                }
                let sum = snapshots[0] + snapshots[1]
                #expect(sum.loopNames == [one.name, other.name])
                #expect(sum.dispatches == 2)
                #expect(sum.names.map(\.count) == [2])
                #expect(sum.time.callbacks == snapshots[0].time.callbacks + snapshots[1].time.callbacks)
                let data = try JSONEncoder().encode(sum)
                #expect(try JSONDecoder().decode(LoopSnapshot.self, from: data) == sum)
                #expect("\(sum)".contains("same"))
            }
        }
    }

    @Test func manyThreads_readWhileTheLoopRuns() throws {
        try withLoop { loop in
            loop.monitoring.level = .metrics
            let end = Counter()
            let readers = try (0..<3).map { _ in
                try LoopThread(name: "reader") {
                    var last = loop.monitoring.snapshot()
                    while end.value == 0 {
                        let next = loop.monitoring.snapshot()
                        #expect(next.dispatches >= last.dispatches)
                        #expect(next.wallTime.sum >= last.wallTime.sum)
                        last = next
                    }
                }
            }
            var left = 30_000
            func next() {
                left -= 1
                if left > 0 { loop.callSoon(name: "next", next) }
            }
            loop.callSoon(name: "next", next)
            try loop.run()
            end.count()
            readers.forEach { $0.join() }
            #expect(loop.monitoring.snapshot().dispatches == 30_000)
        }
    }

    /// A long block among many short iterations shows in the shares of time and of waiting.
    @Test func shares_areOfTheTimeAndOfTheWaiting() throws {
        try withLoop { loop in
            loop.monitoring.level = .metrics
            var left = 500
            func next() {
                left -= 1
                if left > 0 { loop.callLater(.zero) { next() } }
            }
            loop.callSoon { next() }
            try loop.run()
            let calm = loop.monitoring.snapshot()
            loop.callSoon(name: "block") { spin(.milliseconds(300)) }
            for _ in 0..<10 { loop.callSoon(name: "victim") {} }
            try loop.run()
            let interval = loop.monitoring.snapshot() - calm
            // To the width of the histogram's bins.
            let least = interval.iterations.max / interval.time.elapsed * 0.96
            #expect((least...1).contains(interval.timeShare(inIterationsOver: .milliseconds(250))))
            #expect(interval.timeShare(inIterationsOver: .seconds(100)) == 0)
            #expect(interval.waitShare(over: .milliseconds(250)) > 0.9)
            #expect(interval.waitShare(over: .seconds(100)) == 0)
            let both = loop.monitoring.snapshot()
            #expect(both.iterations.percentile(99) < .milliseconds(250))
            let share = both.timeShare(inIterationsOver: .milliseconds(250))
            #expect(abs(share - both.iterations.sum(over: .milliseconds(250)) / both.time.elapsed) < 0.001)
            #expect("\(both)".contains("time, in iterations"))
        }
    }
}
