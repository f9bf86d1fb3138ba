import Testing

@testable import MonitoredUV

/// Readings while the loop's thread goes on writing, wherever the machine stops the reader: between any two
/// words the loop does something, and no counter goes back.
struct ConsistentReadTests {
    /// Calls `body` at the pause of this number alone.
    private func at(_ stop: Int, _ body: @escaping () -> Void) -> () -> Void {
        var number = 0
        return {
            if number == stop { body() }
            number += 1
        }
    }

    @Test(arguments: 0..<7)
    func loopTime_addsUpToWhatPassed_andNeverGoesBack(_ stop: Int) {
        let sums = LoopTimeSums.allocate()
        defer { sums.deallocate() }
        var meter = DispatchMeter(at: 1000, sums)
        var now: UInt64 = 1000
        meter.beginMonitoring(at: now)
        meter.resume(at: now)
        func iterate() {
            meter.enterPoll(at: now + 10, mayWrite: false, mayRepeat: false, work: { _ in nil })
            _ = meter.leavePoll(at: now + 1_000_010, work: { _ in nil })
            meter.beginCallback(at: now + 1_000_010)
            meter.beginMonitor(at: now + 28_000_010)
            meter.stamp(at: now + 28_000_015)
            meter.stamp(at: now + 28_000_020)
            now += 28_000_020
        }
        iterate()
        let before = sums.read { now }
        let between = sums.read({ now }, pause: at(stop) { iterate() })
        let after = sums.read { now }
        for (earlier, later) in [(before, between), (between, after)] {
            #expect(earlier.callbackNanoseconds <= later.callbackNanoseconds)
            #expect(earlier.monitorNanoseconds <= later.monitorNanoseconds)
            #expect(earlier.pollNanoseconds <= later.pollNanoseconds)
            #expect(earlier.overheadNanoseconds <= later.overheadNanoseconds)
        }
        #expect(after.elapsedNanoseconds == now - 1000)
        #expect(before.elapsedNanoseconds...after.elapsedNanoseconds ~= between.elapsedNanoseconds)
    }

    /// The writer is stopped before it has written the end of a part down, which it has read from the clock already.
    @Test func loopTime_doesNotGoBack_whenTheWriterIsStopped() {
        let sums = LoopTimeSums.allocate()
        defer { sums.deallocate() }
        sums.change(from: .outside, since: 0, to: .callbacks, at: 1000)
        #expect(sums.read { 5000 }.callbackNanoseconds == 4000)
        sums.change(from: .callbacks, since: 1000, to: .poll, at: 4900)
        let time = sums.read { 5000 }
        #expect(time.callbackNanoseconds == 4000)
        #expect(time.pollNanoseconds == 100)
    }

    @Test func loopTime_neverGoesBack_whileALoopRuns() throws {
        try withLoop { loop in
            let monitoring = loop.monitoring
            monitoring.level = .metrics
            let isDone = Counter()
            let failures = Counter()
            let reader = try LoopThread(name: "reader") {
                var last = monitoring.time
                while isDone.value == 0 {
                    let time = monitoring.time
                    let isLess =
                        time.callbacks < last.callbacks || time.monitor < last.monitor || time.poll < last.poll
                        || time.overhead < last.overhead
                    if isLess { failures.count() }
                    last = time
                }
            }
            var left = 20_000
            func next() {
                left -= 1
                if left > 0 { loop.callSoon { next() } }
            }
            loop.callSoon { next() }
            try loop.run()
            isDone.count()
            reader.join()
            #expect(failures.value == 0)
        }
    }

    @Test(arguments: 0..<3)
    func queueLength_countsNothingTwice_andItsPeakNeverGoesBack(_ stop: Int) {
        let vitals = LoopVitals(name: CallbackName("test"))
        let metrics = vitals.makeMetrics(at: 1000).takeUnretainedValue()
        var remote = 0
        // The loop runs what it had, takes what others posted, and says so with the next dispatch.
        vitals.queued.set(67_000)
        let length = vitals.queueLength(
            with: { remote },
            pause: at(stop) {
                vitals.queued.set(0)
                metrics.ring.append(.posted, .unnamed, 1000, 1, .notApplicable)
                remote = 67_000
            }
        )
        #expect(length.now <= 67_000)
        #expect(length.peak <= 67_000)
        vitals.queued.set(5)
        #expect(vitals.queueLength(with: { 0 }).peak == length.peak)
        #expect(vitals.queueLength(with: { 100_000 }).peak == 100_005)
        #expect(vitals.queueLength(with: { 0 }).peak == 100_005)
    }

    /// Names that leave their places take what they have to the others: nobody sees them in neither, or in both.
    @Test(arguments: 0..<9)
    func names_areAllThereOnce_whileOthersTakeTheirPlaces(_ stop: Int) {
        let table = NameTable(capacity: 8)
        let names = (0..<24).map { CallbackName("consistent read \($0)") }
        for name in names[..<8] { for _ in 0..<26 { table.record(name, 1000) } }
        func count(_ statistics: [NameStatistics]) -> Int { statistics.reduce(0) { $0 + $1.count } }
        let between = table.read(pause: at(stop) { for name in names[8...] { table.record(name, 1) } })
        #expect(count(between) >= 8 * 26)
        #expect(count(between) <= 8 * 26 + 16)
        #expect(between.filter { $0.count == 26 }.count == 8)
        #expect(count(table.read()) == 8 * 26 + 16)
        // Afterwards they get their places.
        table.record(names[23], 1)
        #expect(table.read().contains { $0.callbackName == names[23].text })
    }

    /// A monitor that was running when a trace began to be put together is not drawn over what came after it.
    @Test(arguments: 0..<3)
    func trace_hasNoSliceThatOverlapsAnother(_ stop: Int) {
        let vitals = LoopVitals(name: CallbackName("test"))
        let metrics = vitals.makeMetrics(at: 1000).takeUnretainedValue()
        func dispatch(_ start: UInt64, _ body: () -> Void = {}) {
            vitals.inFlight.begin(.posted, .unnamed, at: start)
            body()
            metrics.ring.append(.posted, .unnamed, start, 100, .notApplicable)
            vitals.inFlight.begin(.posted, .monitor, at: start + 100)
        }
        dispatch(1000)
        let (ended, running) = Trace.dispatches(
            of: vitals,
            pause: at(stop) {
                vitals.inFlight.end()
                dispatch(2000)
                vitals.inFlight.end()
                dispatch(3000)
            }
        )
        let starts = ended.map(\.start)
        #expect(starts == Array([1000, 2000, 3000].prefix(starts.count)))
        if let running { #expect(running.start >= ended.last!.end) }
        // What was running has ended, and is there.
        if stop < 2 { #expect(starts.count == 3) }
    }

    @Test func trace_hasWhatIsRunning_andWhatItsMonitorDoes() {
        let vitals = LoopVitals(name: CallbackName("test"))
        let metrics = vitals.makeMetrics(at: 1000).takeUnretainedValue()
        metrics.ring.append(.posted, .unnamed, 1000, 100, .notApplicable)
        vitals.inFlight.begin(.posted, .unnamed, at: 1100)
        #expect(Trace.dispatches(of: vitals).running?.start == 1100)
        metrics.ring.append(.posted, .unnamed, 1100, 0, .notApplicable)
        #expect(Trace.dispatches(of: vitals).running == nil)
        vitals.inFlight.begin(.posted, .monitor, at: 1100)
        #expect(Trace.dispatches(of: vitals).running?.name == .monitor)
    }

    /// A hook of the user's is the first to be called after a poll; that the poll was late shows all the same.
    @Test func pollDelays_areThere_alsoWithACheckHook() throws {
        for isChecked in [false, true] {
            try withLoop { loop in
                loop.monitoring.level = .metrics
                let check = UVCheck(on: loop) {}
                if isChecked { check.start() }
                // Each timer is set anew: on a busy machine a repeating one is due before the loop waits for it.
                var left = 500
                func wait() {
                    loop.callLater(.milliseconds(2)) {
                        left -= 1
                        if left > 0 && loop.monitoring.snapshot().pollDelays.count < 3 { wait() } else { check.close() }
                    }
                }
                wait()
                try loop.run()
                #expect(loop.monitoring.snapshot().pollDelays.count >= 3)
            }
        }
    }
}
