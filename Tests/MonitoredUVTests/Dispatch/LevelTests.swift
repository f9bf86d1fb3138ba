import Testing

@testable import MonitoredUV

struct LevelTests {
    @Test func off_notesNothing() throws {
        try withLoop { loop in
            #expect(loop.monitoring.level == .off)
            loop.callSoon {}
            try loop.run()
            let snapshot = loop.monitoring.snapshot()
            #expect(snapshot.dispatches == 0)
            #expect(snapshot.time.elapsed == .zero)
            #expect(loop.core.vitals.metrics == nil)
            #expect(!loop.monitoring.isOverloaded)
        }
    }

    @Test func levels_canBeSwitchedWhileTheLoopRuns() throws {
        try withLoop { loop in
            var reported: [String] = []
            loop.setMonitor { reported.append($0.callbackPrettyName) }
            #expect(loop.monitoring.level == .callbacks)
            loop.callSoon(name: "callbacks") { loop.monitoring.level = .metrics }
            loop.callSoon(name: "metrics") { loop.monitoring.level = .off }
            loop.callSoon(name: "off") { loop.monitoring.level = .callbacks }
            loop.callSoon(name: "callbacks again") {}
            try loop.run()
            // What switches a level off is not reported; that its monitor is not called holds from the next one on.
            #expect(reported == ["callbacks again"])
            let names = Set(loop.monitoring.snapshot().names.map(\.callbackName))
            #expect(names == ["callbacks", "callbacks again"])
        }
    }

    @Test func monitor_raisesTheLevel_andGivesItBack() throws {
        try withLoop { loop in
            loop.monitoring.level = .metrics
            loop.setMonitor { _ in }
            #expect(loop.monitoring.level == .callbacks)
            loop.setMonitor(nil)
            #expect(loop.monitoring.level == .metrics)
            loop.monitoring.level = .off
            loop.setMonitor { _ in }
            loop.setMonitor(nil)
            #expect(loop.monitoring.level == .off)
        }
    }

    /// A monitor that goes is no reason to call the others again.
    @Test func levelSetByHand_holdsUntilThereIsANewMonitor() throws {
        try withLoop { loop in
            loop.setMonitor { _ in }
            let first = loop.addMonitor { _ in }
            let second = loop.addMonitor { _ in }
            loop.monitoring.level = .metrics
            first.cancel()
            #expect(loop.monitoring.level == .metrics)
            loop.setMonitor(nil)
            #expect(loop.monitoring.level == .metrics)
            let third = loop.addMonitor { _ in }
            #expect(loop.monitoring.level == .callbacks)
            second.cancel()
            #expect(loop.monitoring.level == .callbacks)
            loop.monitoring.level = .off
            third.cancel()
            #expect(loop.monitoring.level == .off)
        }
    }

    @Test func level_changesFromAnyThread() throws {
        try withLoop { loop in
            let keep = try UVAsync(on: loop) {}
            let seen = Counter()
            let switcher = try LoopThread(name: "switcher") {
                for level in [MonitoringLevel.metrics, .off, .callbacks, .metrics] {
                    loop.monitoring.level = level
                    while loop.monitoring.isMonitored != (level != .off) {}
                    seen.count()
                }
                loop.execute { loop.stop() }
            }
            try loop.run()
            switcher.join()
            #expect(seen.value == 4)
            keep.close()
            try loop.run()
        }
    }

    @Test func metrics_stayWithinFourMiB() throws {
        let options = MonitoringOptions()
        let histograms =
            (CallbackKind.limit + LagSource.limit + 2) * HistogramStorage.wordCount(.fine)
        let names = (options.nameLimit + 1) * (HistogramStorage.wordCount(.coarse) + 3)
        let bytes = (histograms + names + options.recordedDispatches * 4) * 8 + CallbackName.limit * 2
        #expect(bytes < 4 << 20)
    }

    @Test func overload_isSeenWhileTheLoopIsStuck_andPasses() throws {
        try withLoop { loop in
            loop.monitoring.overloadLimit = .milliseconds(10)
            #expect(loop.monitoring.overloadLimit == .milliseconds(10))
            loop.monitoring.level = .metrics
            let (stuck, seen) = (Counter(), Counter())
            let observer = try LoopThread(name: "observer") {
                while stuck.value == 0 {}
                while !loop.monitoring.isOverloaded {}
                seen.count()
            }
            loop.callSoon {
                stuck.count()
                while seen.value == 0 {}
            }
            try loop.run()
            observer.join()
            // An idle loop recovers within seconds, which nobody has to tell it.
            let now = MonotonicClock.read()
            #expect(!loop.core.vitals.isOverloaded(at: now + 20_000_000_000))
            loop.monitoring.level = .off
            try loop.run(.noWait)
            #expect(!loop.monitoring.isOverloaded)
        }
    }

    @Test func options_areKeptWithinBounds() {
        var options = MonitoringOptions()
        options.nameLimit = 0
        #expect(options.nameLimit == 1)
        options.nameLimit = 1_000_000
        #expect(options.nameLimit == 4096)
        options.recordedDispatches = 5000
        #expect(options.recordedDispatches == 8192)
        options.recordedDispatches = 8192
        #expect(options.recordedDispatches == 8192)
        options.recordedDispatches = -1
        #expect(options.recordedDispatches == 4096)
    }

    @Test func monitorThatEndsMonitoring_leavesNoTimeRunning() throws {
        try withLoop { loop in
            loop.setMonitor { _ in loop.setMonitor(nil) }
            loop.callSoon {}
            loop.callSoon { spin(.milliseconds(5)) }
            try loop.run()
            let time = loop.monitoring.time
            spin(.milliseconds(1))
            #expect(loop.monitoring.time == time)
        }
    }

    @Test func watchdog_keepsItsLevel_whenTheMonitorGoes() throws {
        try withLoop { loop in
            loop.setMonitor { _ in }
            loop.monitoring.startWatchdog(limit: .seconds(100)) { _ in }
            loop.setMonitor(nil)
            #expect(loop.monitoring.level == .metrics)
        }
    }

    @Test func runningMonitor_isSeen() throws {
        try withLoop { loop in
            let (running, seen) = (Counter(), Counter())
            loop.setMonitor { _ in
                running.count()
                while seen.value == 0 {}
            }
            let observer = try LoopThread(name: "observer") {
                while running.value == 0 {}
                #expect(loop.monitoring.snapshot().running?.callbackName == "monitor")
                seen.count()
            }
            loop.callSoon {}
            try loop.run()
            observer.join()
        }
    }

    @Test func watchedLoop_leavesNothingBehind() throws {
        weak var vitals: LoopVitals?
        try withLoop { loop in
            vitals = loop.core.vitals
            loop.monitoring.startWatchdog(limit: .seconds(100), traces: TraceFiles(directory: "/tmp")) { _ in }
            loop.callSoon {}
            try loop.run()
        }
        WatchdogThread.shared.look()
        WatchdogThread.shared.look()
        WatchdogThread.shared.flushReports()
        #expect(isReleased { vitals })
    }

    /// Threads that ask for a watchdog while the loop is closed.
    @Test func watchdogAddedDuringAClose_leavesNothingBehind() async throws {
        for _ in 0..<50 {
            weak var vitals: LoopVitals?
            try await withThrowingDiscardingTaskGroup { group in
                let loop = try UVEventLoop()
                vitals = loop.core.vitals
                let monitoring = loop.monitoring
                let isReady = Counter()
                group.addTask {
                    isReady.count()
                    for _ in 0..<10 { monitoring.startWatchdog(limit: .seconds(100)) { _ in } }
                }
                while isReady.value == 0 { await Task.yield() }
                try loop.close()
            }
            WatchdogThread.shared.look()
            WatchdogThread.shared.look()
            WatchdogThread.shared.flushReports()
            #expect(isReleased { vitals })
        }
    }
}
