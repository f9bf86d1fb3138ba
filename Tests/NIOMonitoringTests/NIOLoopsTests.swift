import Foundation
import MonitoredUV
import NIOCore
import NIOMonitoring
import NIOPosix
import Synchronization
import Testing

/// Tests of the figures of SwiftNIO's loops, and of when these loops come and go.
@Suite struct NIOLoopsTests {
    @Test func loops_areThereFromTheirFirstPoll_toTheirEnd() throws {
        try withWatchedGroup(loops: 3) { watched in
            for loop in watched.group.makeIterator() { try loop.submit {}.wait() }
            #expect(watched.monitorings.count == 3)
            #expect(Monitoring.all.filter { $0.loopName.hasPrefix(watched.prefix) }.count == 3)
            let name = try watched.loop.submit { NIOLoops.current?.loopName }.wait()
            #expect(watched.monitorings.map(\.loopName).contains(name ?? ""))
            #expect(NIOLoops.current == nil)
            try watched.group.syncShutdownGracefully()
            #expect(watched.monitorings.isEmpty)
        }
    }

    /// The thread goes on after its loop, which must not look stuck then.
    /// A thread that a loop's code starts inherits the name of the loop's thread.
    @Test(arguments: [false, true]) func loopOfAThread_endsBeforeIt(_ isStartedOnALoop: Bool) throws {
        let subscription = NIOLoops.monitor { _ in nil }
        defer { subscription.cancel() }
        let seen = Lock<String?>(nil)
        let (isOver, mayEnd) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let run: @Sendable () -> Void = {
            MultiThreadedEventLoopGroup.withCurrentThreadAsEventLoop { loop in
                loop.scheduleTask(in: .milliseconds(1)) {
                    seen.withLock { $0 = NIOLoops.current?.loopName }
                    loop.shutdownGracefully { _ in }
                }
            }
            isOver.signal()
            mayEnd.wait()
        }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let thread = isStartedOnALoop ? try group.next().submit { TestThread(run) }.wait() : TestThread(run)
        isOver.wait()
        let name = seen.withLock { $0 }
        #expect(name?.hasPrefix("NIO-") == isStartedOnALoop)
        #expect(!NIOLoops.all.contains { $0.loopName == name })
        mayEnd.signal()
        thread.join()
        try group.syncShutdownGracefully()
    }

    @Test func iterations_addUp() throws {
        try withWatchedGroup { watched in
            let loop = watched.loop
            try loop.submit {}.wait()
            let monitoring = try #require(watched.monitorings.first)
            let start = ContinuousClock.now
            let before = monitoring.snapshot()
            var inside = Duration.zero
            for _ in 0..<20 { inside += try loop.submit { spin(.milliseconds(1)) }.wait() }
            // The iteration of the last task counts when it ends, which may take a while after its answer.
            var interval = monitoring.snapshot() - before
            for _ in 0..<1000 where interval.wallTime(.iteration).sum < inside {
                try loop.submit {}.wait()
                interval = monitoring.snapshot() - before
            }
            let elapsed = start.duration(to: .now)
            #expect(interval.wallTime(.iteration).sum >= inside)
            #expect(interval.time.callbacks >= inside)
            #expect(interval.wallTime(.iteration).sum <= elapsed)
            #expect(interval.iterations.count > 0)
            #expect(interval.dispatches == interval.wallTime(.iteration).count)
            #expect(interval.time.utilization > 0)
        }
    }

    /// A timer of SwiftNIO's is a descriptor, so that the poll itself has no timeout.
    @Test func pollDelays_areCounted() throws {
        try withWatchedGroup { watched in
            let loop = watched.loop
            // A busy machine lets a timer fall due before the loop waits for it.
            for _ in 0..<500 {
                try loop.scheduleTask(in: .milliseconds(1)) {}.futureResult.wait()
                if watched.monitorings.first?.snapshot().pollDelays.count ?? 0 >= 3 { break }
            }
            let delays = try #require(watched.monitorings.first).snapshot().pollDelays
            #expect(delays.count >= 3)
            #expect(delays.sum > .zero)
        }
    }

    /// Functions are named, blamed, and in the folded stacks, and what waits for them is measured.
    @Test func longIteration_isNamedAfterItsFunction_andTasksWaitForIt() throws {
        try withWatchedGroup { watched in
            let loop = watched.loop
            try loop.submit {}.wait()
            let monitoring = try #require(watched.monitorings.first)
            let name = "NIOMonitoringTests.computeForAWhile()"
            let attempts = 200
            for attempt in 1...attempts {
                // Until the samples are there, and so is a name, which is looked up the first time.
                try loop.submit { computeForAWhile() }.wait()
                try loop.submit {}.wait()
                let snapshot = monitoring.snapshot()
                let isNamed = snapshot.names.contains { $0.callbackName == name }
                // A task may have been sent at the very end of an iteration.
                let hasWaited = snapshot.lag(.probe).max > .milliseconds(1)
                if isNamed && hasWaited && monitoring.foldedStacks.contains(name) { break }
                #expect(attempt < attempts, "\(snapshot.names.map(\.callbackName))\n\(monitoring.foldedStacks)")
            }
            for line in monitoring.foldedStacks.split(separator: "\n") {
                let parts = line.split(separator: " ")
                #expect(parts.last.flatMap { Int($0) } != nil, "\(line)")
            }
        }
    }

    @Test func monitor_isCalled_andMayGiveTheLoopTasks() throws {
        try withWatchedGroup { watched in
            let loop = watched.loop
            try loop.submit {}.wait()
            let monitoring = try #require(watched.monitorings.first)
            let ran = DispatchSemaphore(value: 0)
            let box = Counters()
            let subscription = monitoring.addMonitor { state in
                #expect(state.kind == .iteration)
                box.dispatches.wrappingAdd(1, ordering: .relaxed)
                // Nobody would wake the loop for it if it were already on its way to sleep.
                if box.tasks.wrappingAdd(1, ordering: .relaxed).newValue == 1 { loop.execute { ran.signal() } }
            }
            try loop.submit {}.wait()
            try loop.submit {}.wait()
            try loop.submit {}.wait()
            ran.wait()
            subscription.cancel()
            #expect(box.dispatches.load(ordering: .relaxed) > 0)
        }
    }

    @Test func delegate_countsTasks() throws {
        let subscription = NIOLoops.monitor { _ in nil }
        defer { subscription.cancel() }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1, metricsDelegate: NIOLoops.metricsDelegate)
        let watched = WatchedGroup(group, Reports())
        let loop = watched.loop
        try loop.submit {}.wait()
        try loop.submit { for _ in 0..<10 { loop.execute {} } }.wait()
        let monitoring = try #require(watched.monitorings.first)
        // They are counted at the end of the iteration, which may go on with tasks that come meanwhile.
        while monitoring.snapshot().tasks < 11 { try loop.submit {}.wait() }
        let snapshot = monitoring.snapshot()
        #expect(snapshot.tasks >= 11)
        #expect(snapshot.tasksPeak >= 10)
        try group.syncShutdownGracefully()
    }

    @Test func canceledSubscription_endsItsWatchdogs_andLeavesLaterLoopsAlone() throws {
        let reports = Reports()
        let configured = Lock<[String]>([])
        let subscription = NIOLoops.monitor { loop in
            configured.withLock { $0.append(loop.loopName) }
            return loop.startWatchdog(limit: .milliseconds(5)) { reports.add($0) }
        }
        try withWatchedGroup(limit: .milliseconds(5)) { watched in
            try watched.loop.submit {}.wait()
            subscription.cancel()
            // Longer than a busy machine makes the iterations before.
            watched.loop.execute { spin(.milliseconds(500)) }
            let later = MultiThreadedEventLoopGroup(numberOfThreads: 1)
            try later.next().submit {}.wait()
            let laterPrefix = WatchedGroup(later, Reports()).prefix
            try later.syncShutdownGracefully()
            #expect(!configured.withLock { $0.contains { $0.hasPrefix(laterPrefix) } })
            let ended = try watched.report(ofEnd: true) { $0.duration >= .milliseconds(500) }
            #expect(!reports.contains { $0.loopName == ended.loopName && $0.duration == ended.duration })
        }
    }
}

private struct TestThread: Sendable {
    private let ended = DispatchSemaphore(value: 0)

    init(_ body: @escaping @Sendable () -> Void) {
        Thread { [ended] in
            body()
            ended.signal()
        }.start()
    }

    func join() { ended.wait() }
}

private final class Counters: Sendable {
    let dispatches = Atomic<Int>(0)
    let tasks = Atomic<Int>(0)
}

@inline(never)
private func computeForAWhile() {
    let start = ContinuousClock.now
    while start.duration(to: .now) < .milliseconds(12) {}
}

/// Uses the processor for `duration`, and returns how long that took.
@discardableResult
func spin(_ duration: Duration) -> Duration {
    let start = ContinuousClock.now
    while start.duration(to: .now) < duration {}
    return start.duration(to: .now)
}
