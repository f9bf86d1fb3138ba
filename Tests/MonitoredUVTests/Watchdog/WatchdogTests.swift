import Foundation
import Testing

@testable import MonitoredUV

/// Loops that are blocked until the watchdog has said so: a report that comes too late, or not at all, ends the test.
@Suite(.serialized) struct WatchdogTests {
    /// The reports of a watchdog.
    final class Reports: Sendable {
        private let reports = Lock<[StallReport]>([])

        func append(_ report: StallReport) { reports.withLock { $0.append(report) } }
        var all: [StallReport] { reports.withLock { $0 } }
        /// Those of dispatches, or of iterations, which a busy machine may make too long as well.
        func of(_ phase: StallReport.Phase, iterations: Bool = false) -> [StallReport] {
            all.filter { $0.phase == phase && ($0.dispatches != nil) == iterations }
        }

        /// The names that keep the loop blocked: none yet.
        var hasBegun: Bool { !of(.began).isEmpty }
    }

    /// Runs `block` on a loop, in a callback of this name, and gives its reports.
    private func stall(_ name: DispatchName, _ block: @escaping @Sendable (Reports) -> Void) throws -> Reports {
        let reports = Reports()
        try withLoop { loop in
            loop.monitoring.startWatchdog(limit: .milliseconds(60)) { reports.append($0) }
            loop.callSoon(name: name) { block(reports) }
            try loop.run()
        }
        WatchdogThread.shared.look()
        WatchdogThread.shared.flushReports()
        return reports
    }

    /// On a machine that has too much to do, a thread that wants to run is one that may not.
    private func expect(_ reports: Reports, _ name: String, _ cause: StallCause, _ function: String) throws {
        let causes = cause == .cpu ? [StallCause.cpu, .descheduled] : [cause]
        let began = try #require(reports.of(.began).first)
        #expect(began.callbackName == name)
        #expect(began.cause.map(causes.contains) == true)
        expect(began, namesFunction: function)
        #expect(began.duration >= .milliseconds(60))
        let ended = try #require(reports.of(.ended).first)
        #expect(ended.duration >= began.duration)
        #expect(ended.callbackName == name)
        if isThreadSanitized { return }
        #expect(ended.function == began.function)
        #expect(ended.cause.map(causes.contains) == true)
        let hasLine = ended.stack.contains { $0.file?.hasSuffix("WatchdogTests.swift") == true && $0.line != nil }
        #expect(hasLine, "\(ended)")
    }

    /// Code that blocks a loop here may just be asking whether it was found.
    private func expect(_ report: StallReport, namesFunction function: String) {
        if isThreadSanitized { return }
        let found = report.stack.first { $0.isOwn && !$0.function.contains("WatchdogTests.Reports.") }
        #expect(found?.function.contains(function) == true, "\(report)")
    }

    @Test func busyFunction_isFoundWhileItRuns() throws {
        let reports = try stall("busy") { busyParser($0) }
        try expect(reports, "busy", .cpu, "busyParser")
    }

    @Test func sleep_isFound() throws {
        let reports = try stall("sleepy") { sleepyHandler($0) }
        try expect(reports, "sleepy", .wait, "sleepyHandler")
        #expect(isThreadSanitized || reports.all[0].call == "usleep")
        #expect(isThreadSanitized || "\(reports.all[0])".contains(", blocked in usleep"))
    }

    /// The watchdog does not change what it watches: a signal would end these early.
    @Test(arguments: ["usleep", "nanosleep", "poll", "select"])
    func callThatWaits_returnsWhenItWouldHave(_ name: String) throws {
        let reports = Reports()
        let results = Lock<[(isUndisturbed: Bool, duration: Duration)]>([])
        try withLoop { loop in
            loop.monitoring.startWatchdog(limit: .milliseconds(20)) { reports.append($0) }
            for _ in 0..<3 {
                loop.callSoon {
                    let start = ContinuousClock.now
                    let isUndisturbed = waitFor100Milliseconds(by: name)
                    results.withLock { $0.append((isUndisturbed, ContinuousClock.now - start)) }
                }
            }
            try loop.run()
        }
        WatchdogThread.shared.look()
        WatchdogThread.shared.flushReports()
        results.withLock { results in
            #expect(results.allSatisfy { $0.isUndisturbed && $0.duration >= .milliseconds(100) }, "\(results)")
        }
        let told = reports.of(.began)
        #expect(told.count == 3)
        if isThreadSanitized { return }
        for report in told {
            // A thread that a busy machine has not let into the call yet computes.
            #expect(report.stack.contains { $0.function.contains("waitFor100Milliseconds") }, "\(report)")
            #expect(report.cause != .wait || report.call == name, "\(report)")
        }
    }

    /// At level `off` nobody knows that a dispatch runs, but for the callback itself.
    @Test func watchdogSetUpInACallbackThatIsNotMonitored_tellsOfIt() throws {
        let reports = Reports()
        try withLoop { loop in
            loop.execute {
                loop.monitoring.startWatchdog(limit: .milliseconds(60)) { reports.append($0) }
                busyParser(reports)
            }
            loop.execute(name: "next") {
                WatchdogThread.shared.look()
                WatchdogThread.shared.flushReports()
                #expect(loop.core.vitals.inFlight.current?.name.text == "next")
            }
            try loop.run()
            #expect(loop.core.vitals.inFlight.current == nil)
        }
        let told = reports.all.filter { $0.callbackName == "began unmonitored" && $0.dispatches == nil }
        #expect(told.map(\.phase).filter { $0 != .continues } == [.began, .ended])
        #expect(isThreadSanitized || told[0].stack.contains { $0.function.contains("busyParser") })
        #expect(told.last!.duration >= .milliseconds(60))
    }

    /// The second does not evict the first, and the first takes nothing with it when it goes.
    @Test func severalWatchdogs_tellWhatTheirLimitsSay() throws {
        let short = Reports()
        let long = Reports()
        let all = Reports()
        try withLoop { loop in
            let first = loop.monitoring.startWatchdog(limit: .milliseconds(40)) { short.append($0) }
            loop.monitoring.startWatchdog(limit: .seconds(100)) { long.append($0) }
            loop.monitoring.startWatchdog(limit: .milliseconds(50)) { all.append($0) }
            loop.callSoon(name: "one") { while short.of(.began).isEmpty || all.of(.began).isEmpty {} }
            try loop.run()
            WatchdogThread.shared.look()
            let counted = loop.monitoring.snapshot().stalls.values.reduce(0) { $0 + $1.count }
            #expect(counted == 1, "once, not for each watchdog")
            first.cancel()
            first.cancel()
            loop.callSoon(name: "two") { while all.of(.began).count < 2 {} }
            try loop.run()
        }
        WatchdogThread.shared.look()
        WatchdogThread.shared.flushReports()
        #expect(short.of(.began).map(\.callbackName) == ["one"])
        #expect(short.of(.ended).map(\.callbackName) == ["one"])
        #expect(all.of(.began).map(\.callbackName) == ["one", "two"])
        #expect(all.of(.ended).map(\.callbackName) == ["one", "two"])
        #expect(long.all.isEmpty)
        let stacks = (short.of(.began) + all.of(.began).prefix(1)).map { $0.stack.map(\.function) }
        #expect(stacks[0] == stacks[1])
    }

    @Test func watchdogSetUpDuringAStall_tellsItsEnd() throws {
        let reports = Reports()
        let wall = Box(Duration.zero)
        let first = Box<MonitoringSubscription?>(nil)
        try withLoop { loop in
            loop.monitoring.level = .metrics
            loop.execute(name: "before") {
                let start = ContinuousClock.now
                spin(.milliseconds(100))
                first.value = loop.monitoring.startWatchdog(limit: .milliseconds(60)) { reports.append($0) }
                busyParser(reports)
                wall.value = ContinuousClock.now - start
            }
            // Not on the loop's thread, which would know of the limit at once.
            loop.execute(name: "other") {
                WatchdogThread.shared.look()
                first.value?.cancel()
                try? onOtherThread { loop.monitoring.startWatchdog(limit: .milliseconds(50)) { reports.append($0) } }
                while reports.of(.began).count < 2 { spin(.milliseconds(1)) }
            }
            try loop.run()
        }
        WatchdogThread.shared.look()
        WatchdogThread.shared.flushReports()
        let ended = reports.of(.ended)
        #expect(ended.map(\.callbackName) == ["before", "other"])
        #expect(try #require(ended.first).duration >= wall.value)
        for report in ended {
            let began = reports.of(.began).first { $0.id == report.id }
            #expect(report.duration >= began?.duration ?? .seconds(1000))
        }
    }

    @Test func monitorThatBlocks_isToldOfToItsEnd() throws {
        let reports = Reports()
        let duration = Box(Duration.zero)
        try withLoop { loop in
            loop.setMonitor { state in
                if state.callbackPrettyName != "watched" { return }
                let start = ContinuousClock.now
                busyParser(reports)
                duration.value = ContinuousClock.now - start
            }
            loop.monitoring.startWatchdog(limit: .milliseconds(60)) { reports.append($0) }
            loop.callSoon(name: "watched") {}
            try loop.run()
            WatchdogThread.shared.look()
            #expect(loop.monitoring.snapshot().stalls.values.reduce(0) { $0 + $1.count } >= 1)
        }
        WatchdogThread.shared.look()
        WatchdogThread.shared.flushReports()
        let ended = try #require(reports.of(.ended).first)
        #expect(ended.callbackName == "monitor")
        #expect(ended.duration >= duration.value)
        expect(ended, namesFunction: "busyParser")
    }

    @Test func currentStack_isThatOfTheDispatchThatRuns() throws {
        try withLoop { loop in
            loop.monitoring.level = .metrics
            #expect(loop.monitoring.currentStack().isEmpty)
            let (isIn, mayEnd) = (DispatchSemaphore(value: 0), Counter())
            loop.execute(name: "computes") {
                isIn.signal()
                computeUntil(mayEnd)
                isIn.signal()
                sleepUntil(mayEnd)
            }
            let stacks = Lock<[[StackFrame]]>([])
            let other = try LoopThread(name: "other") {
                for _ in 0..<2 {
                    isIn.wait()
                    var stack: [StackFrame] = []
                    // A busy machine may keep the thread from answering.
                    for _ in 0..<20 where stack.isEmpty { stack = loop.monitoring.currentStack() }
                    stacks.withLock { $0.append(stack) }
                    mayEnd.count()
                }
            }
            try loop.run()
            other.join()
            let found = stacks.withLock { $0 }
            #expect(isThreadSanitized || found[0].contains { $0.function.contains("computeUntil") }, "\(found[0])")
            #expect(isThreadSanitized || found[1].contains { $0.function.contains("sleepUntil") }, "\(found[1])")
        }
    }

    /// Whoever ends does so after what there is to tell.
    @Test func programThatEndsRightAfterAStall_hasToldOfIt() async throws {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            try await Task.sleep(for: .milliseconds(200))
            let loop = try UVEventLoop()
            loop.monitoring.startWatchdog(limit: .milliseconds(100)) { report in
                // As slow as a log may be.
                usleep(50_000)
                FileHandle.standardError.write(Data("\(report)\n".utf8))
            }
            loop.callSoon(name: "late") { sleepyUntil(ContinuousClock.now + .milliseconds(300)) }
            try loop.run()
            exit(0)
        }
        let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(text.contains(" has been stuck for "))
        #expect(text.contains(" was stuck for "))
        #expect(isThreadSanitized || text.contains("sleepyUntil"), "\(text)")
    }

    @Test func callOfACLibrary_isFound() throws {
        let reports = try stall("sorting") { sortingHandler($0) }
        try expect(reports, "sorting", .cpu, "sortingHandler")
        #expect(
            isThreadSanitized || reports.all[0].stack.contains { $0.function.contains("sort") && !$0.isOwn },
            "\(reports.all[0])"
        )
    }

    @Test func lockOfAnotherThread_isFound() throws {
        let reports = try stall("locking") { lockingHandler($0) }
        try expect(reports, "locking", .wait, "lockingHandler")
        #expect(isThreadSanitized || reports.all[0].call == "pthread_mutex_lock")
    }

    /// None of the closures is long, but all that comes behind them waits for all of them.
    @Test func iterationOfManyDispatches_isFoundWhileItGoesOn() throws {
        let reports = Reports()
        try withLoop { loop in
            // Longer than a busy machine makes a single one of them.
            loop.monitoring.startWatchdog(limit: .milliseconds(250)) { reports.append($0) }
            loop.callSoon(name: "small") {}
            for _ in 0..<2000 {
                loop.callSoon(name: "large") {
                    if reports.of(.began, iterations: true).isEmpty { spin(.milliseconds(2)) }
                }
                loop.callSoon(name: "small") {}
            }
            try loop.run()
        }
        WatchdogThread.shared.look()
        WatchdogThread.shared.flushReports()
        let began = try #require(reports.of(.began, iterations: true).first)
        #expect(began.callbackName == "large")
        #expect(began.kind == .posted)
        #expect(began.duration >= .milliseconds(250))
        #expect(began.dispatches! > 2 && began.dispatches! < 4001)
        #expect("\(began)".contains(" dispatches of one iteration, the largest share in large (posted)"))
        let ended = try #require(reports.of(.ended, iterations: true).first { $0.id == began.id })
        #expect(ended.duration >= began.duration)
        #expect(ended.callbackName == "large")
        #expect(ended.dispatches! >= began.dispatches!)
    }

    /// The dispatch is reported, and not the iteration around it as well.
    @Test func iterationOfOneLongDispatch_isNoStallOfItsOwn() throws {
        let reports = try stall("busy") { busyParser($0) }
        #expect(reports.all.allSatisfy { $0.dispatches == nil && $0.callbackName == "busy" })
    }

    @Test func loopInACallbackOfAnother_isLookedThrough() throws {
        let reports = try stall("outer") { reports in
            succeed {
                let inner = try UVEventLoop()
                inner.callSoon { busyParser(reports) }
                try inner.run()
                try inner.close()
            }
        }
        let began = try #require(reports.of(.began).first)
        #expect(
            isThreadSanitized
                || began.stack.contains { $0.function.contains("loopInACallbackOfAnother_isLookedThrough") },
            "\(began)"
        )
    }

    @Test func loopThatChangesItsThread_isFoundOnEach() throws {
        for _ in 0..<3 {
            let reports = Reports()
            let loop = try UVEventLoop()
            loop.monitoring.startWatchdog(limit: .milliseconds(60)) { reports.append($0) }
            for _ in 0..<3 {
                try onOtherThread {
                    loop.execute(name: "moving") { spin(.milliseconds(1)) }
                    succeed { try loop.run() }
                }
            }
            try onOtherThread {
                loop.execute(name: "moving") { busyParser(reports) }
                succeed { try loop.run() }
            }
            #expect(reports.of(.began).first?.cause != nil)
            #expect(isThreadSanitized || reports.of(.began).first?.stack.isEmpty == false)
            try loop.close()
        }
    }

    @Test func asyncFunction_isFoundWithItsCallers() async throws {
        let reports = Reports()
        try await withTasks(monitored: true) { loop in
            loop.monitoring.startWatchdog(limit: .milliseconds(60)) { reports.append($0) }
            await outerRequest(reports)
        }
        WatchdogThread.shared.look()
        WatchdogThread.shared.flushReports()
        let began = try #require(reports.of(.began).first)
        #expect(began.cause != .wait)
        expect(began, namesFunction: "busyParser")
        #expect(
            isThreadSanitized || began.stack.contains { $0.function.contains("innerQuery") && $0.role == .call },
            "\(began)"
        )
        #expect(
            isThreadSanitized
                || began.stack.contains { $0.function.contains("outerRequest") && $0.role == .asyncCaller },
            "\(began)"
        )
    }
}

@inline(never) private func busyParser(_ reports: WatchdogTests.Reports) {
    var sum = 0
    while !reports.hasBegun { for number in 0..<100_000 { sum = sum &* 31 &+ number } }
    withExtendedLifetime(sum) {}
}

@inline(never) private func sleepyHandler(_ reports: WatchdogTests.Reports) {
    while !reports.hasBegun { usleep(20_000) }
}

@inline(never) private func sortingHandler(_ reports: WatchdogTests.Reports) {
    var numbers = [Int32](repeating: 0, count: 400_000)
    while !reports.hasBegun {
        for index in numbers.indices { numbers[index] = Int32(truncatingIfNeeded: index &* 7919 % 100_003) }
        qsort(&numbers, numbers.count, 4) { left, right in
            let (left, right) = (left!.load(as: Int32.self), right!.load(as: Int32.self))
            return left < right ? -1 : left > right ? 1 : 0
        }
    }
}

@inline(never) private func lockingHandler(_ reports: WatchdogTests.Reports) {
    let lock = Lock(0)
    let taken = DispatchSemaphore(value: 0)
    Thread.detachNewThread {
        lock.withLock { _ in
            taken.signal()
            while !reports.hasBegun { usleep(1000) }
        }
    }
    taken.wait()
    lock.withLock { $0 += 1 }
}

@inline(never) private func outerRequest(_ reports: WatchdogTests.Reports) async {
    await Task.yield()
    await innerQuery(reports)
    await Task.yield()
}

@inline(never) private func innerQuery(_ reports: WatchdogTests.Reports) async {
    await Task.yield()
    busyParser(reports)
    await Task.yield()
}

@inline(never) private func computeUntil(_ mayEnd: Counter) { while mayEnd.value < 1 { spin(.milliseconds(1)) } }

@inline(never) private func sleepUntil(_ mayEnd: Counter) { while mayEnd.value < 2 { usleep(50_000) } }

@inline(never) private func sleepyUntil(_ end: ContinuousClock.Instant) {
    while ContinuousClock.now < end { usleep(20_000) }
}

/// Whether the call ended as it does when nothing disturbs it.
@inline(never) private func waitFor100Milliseconds(by name: String) -> Bool {
    switch name {
    case "usleep": return usleep(100_000) == 0
    case "nanosleep":
        var length = timespec(tv_sec: 0, tv_nsec: 100_000_000)
        return nanosleep(&length, nil) == 0
    case "poll": return poll(nil, 0, 100) == 0
    default:
        var length = timeval(tv_sec: 0, tv_usec: 100_000)
        return select(0, nil, nil, nil, &length) == 0
    }
}
