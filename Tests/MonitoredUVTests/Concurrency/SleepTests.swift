import Testing

@testable import MonitoredUV

@Suite struct SleepTests {
    @Test func allFormsOfSleepingWaitAtLeastTheirTimeAndComeBackToTheLoop() async throws {
        try await withTasks { loop in
            func check(_ form: String, _ sleep: () async throws -> Void) async throws {
                let start = MonotonicClock.read()
                try await sleep()
                #expect(MonotonicClock.read() - start >= 2_000_000, "\(form)")
                #expect(isOn(loop), "\(form)")
            }
            try await check("for") { try await Task.sleep(for: .milliseconds(2)) }
            try await check("nanoseconds") { try await Task.sleep(nanoseconds: 2_000_000) }
            try await check("until") { try await Task.sleep(until: .now + .milliseconds(2), clock: .suspending) }
            try await check("clock") { try await ContinuousClock().sleep(for: .milliseconds(2)) }
            try await check("loop") { try await loop.sleep(for: .milliseconds(2)) }
            try await Task.sleep(for: .zero)
            try await Task.sleep(for: .seconds(-1))
            try await loop.sleep(for: .seconds(-1))
        }
    }

    #if os(Linux)
        @Test func sleepsAreKeptByTheLoop_andACancelledOneIsGoneAtOnce() async throws {
            try await withTasks { loop in
                let tasks = (0..<100).map { _ in
                    Task(executorPreference: loop) {
                        do { try await Task.sleep(for: .seconds(3600)) } catch { return error is CancellationError }
                        return false
                    }
                }
                while loop.core.timers.count < 100 { await Task.yield() }
                for (number, task) in tasks.enumerated() {
                    task.cancel()
                    #expect(await task.value)
                    #expect(loop.core.timers.count == 99 - number)
                }
                #expect(loop.core.alarm.isActive == false)
            }
        }

        @Test func aSleepThatAnotherThreadCancelsIsGoneAsWell() async throws {
            try await withTasks { loop in
                let task = Task(executorPreference: loop) { try? await Task.sleep(for: .seconds(3600)) }
                while loop.core.timers.count < 1 { await Task.yield() }
                try onOtherThread { task.cancel() }
                await task.value
                #expect(loop.core.timers.count == 0)
            }
        }

        @Test
        func
            `a task that sleeps again after a cancelled sleep, and one that sleeps after a full one, sleep their time`()
            async throws
        {
            try await withTasks { loop in
                let start = MonotonicClock.read()
                let task = Task(executorPreference: loop) {
                    try? await Task.sleep(for: .seconds(3600))
                    await Task.detached { try? await Task.sleep(for: .milliseconds(20)) }.value
                    return MonotonicClock.read()
                }
                while loop.core.timers.count < 1 { await Task.yield() }
                task.cancel()
                #expect(await task.value >= start + 20_000_000)
                for _ in 0..<3 {
                    let start = MonotonicClock.read()
                    try await Task.sleep(for: .milliseconds(3))
                    await Task.yield()
                    #expect(MonotonicClock.read() - start >= 3_000_000)
                }
            }
        }

        @Test func twentyThousandTasksSleepAtOnce_wakeInTime_andLeaveNothing() async throws {
            try await withTasks { loop in
                let woken = Box(0)
                await withDiscardingTaskGroup { group in
                    for number in 0..<20_000 {
                        group.addTask {
                            try? await Task.sleep(for: .milliseconds(50 + number % 50))
                            woken.value += 1
                        }
                    }
                }
                #expect(woken.value == 20_000)
                #expect(loop.core.timers.count == 0)
            }
        }

        @Test(arguments: [false, true])
        func whoSleptIsLateSinceItWasDue_andWhatWokeItHasNoEntry(_ usesTheLoopsSleep: Bool) async throws {
            let sleepers = 100
            let delay = Duration.milliseconds(50)
            let block = Duration.milliseconds(200)
            let states = try await withTasks(monitored: true) { loop in
                let asleep = Box(0)
                await withTaskGroup { group in
                    for _ in 0..<sleepers {
                        group.addTask(name: "sleeper") {
                            asleep.value += 1
                            try? await usesTheLoopsSleep ? loop.sleep(for: delay) : Task.sleep(for: delay)
                        }
                    }
                    while asleep.value < sleepers { await Task.yield() }
                    spin(block)
                }
            }
            #expect(!states.contains { $0.callbackPrettyName == "Task.sleep" || $0.kind == .timer })
            let parts = states.filter { $0.callbackPrettyName == "sleeper" }
            #expect(parts.count == 2 * sleepers)
            // On a busy machine some may be through before the block begins.
            #expect(parts.filter { $0.loopLag >= block - delay && $0.isLoopLagExact }.count > sleepers / 2)
            #expect(states.contains { $0.loopHandlesCount >= sleepers / 2 })
        }

        /// libuv's poll waits from when it last read the clock: sleeps were late by what the loop did since then.
        @Test func aSleepIsNotLateByWhatTheLoopDidBeforeIt() async throws {
            let work = Duration.milliseconds(60)
            let least = Box(Duration.seconds(100))
            // The machine may hold up one of them.
            for _ in 0..<5 {
                try await withTasks { _ in
                    try await Task.sleep(for: .milliseconds(1))  // woken by a timer, so before a poll
                    spin(work)
                    let asked = MonotonicClock.read()
                    try await Task.sleep(for: .milliseconds(10))
                    least.value = min(least.value, Duration(nanoseconds: MonotonicClock.read() - asked))
                }
            }
            #expect(least.value < work)
        }

        @Test func anActorWhoseMethodSleptIsLateSinceThen() async throws {
            actor Sleeper {
                func sleep() async throws { try await Task.sleep(for: .milliseconds(50)) }
            }
            let states = try await withTasks(monitored: true) { loop in
                async let sleeping: Void = Sleeper().sleep()
                while loop.core.timers.count == 0 { await Task.yield() }
                spin(.milliseconds(200))
                try await sleeping
            }
            let late = states.filter { $0.loopLag >= .milliseconds(100) }
            #expect(late.contains { $0.kind == .job })  // on a busy machine others may be late, too
            #expect(!states.contains { $0.callbackPrettyName == "Task.sleep" })
        }

        @Test func whatCleansUpBehindACanceledSleepHasNoEntry() async throws {
            let states = try await withTasks(monitored: true) { loop in
                let task = Task(name: "sleeper", executorPreference: loop) {
                    try? await Task.sleep(for: .seconds(3600))
                }
                while loop.core.timers.count == 0 { await Task.yield() }
                task.cancel()
                await task.value
            }
            #expect(states.filter { $0.callbackPrettyName == "sleeper" }.count == 2)
            #expect(!states.contains { $0.callbackPrettyName == "Task.sleep" })
        }
    #endif

    @Test func aCancelledLoopSleepThrowsAtOnceAndClosesItsTimer() async throws {
        try await withTasks { loop in
            let task = Task(executorPreference: loop) {
                do { try await loop.sleep(for: .seconds(3600)) } catch { return error is CancellationError }
                return false
            }
            while loop.core.heldCount < 1 { await Task.yield() }
            task.cancel()
            #expect(await task.value)
            let before = Task(executorPreference: loop) {
                withUnsafeCurrentTask { $0?.cancel() }
                do { try await loop.sleep(for: .seconds(3600)) } catch { return error is CancellationError }
                return false
            }
            #expect(await before.value)
        }
    }

    @Test func aTaskOfAnotherExecutorSleepsOnTheLoopsTimer_andIsCancelledFromThere() async throws {
        try await withTasks { loop in
            await Task.detached {
                try? await loop.sleep(for: .milliseconds(1))
                #expect(!isOn(loop))
                let task = Task.detached { try await loop.sleep(for: .seconds(3600)) }
                task.cancel()
                await #expect(throws: CancellationError.self) { try await task.value }
            }.value
        }
    }

    @Test func sleepingOnAClosedLoopThrows() async throws {
        let loop = Box<UVEventLoop?>(nil)
        try await waitForThread {
            succeed {
                let closed = try UVEventLoop()
                try closed.close()
                loop.value = closed
            }
        }
        let error = await #expect(throws: UVError.self) { try await loop.value!.sleep(for: .seconds(1)) }
        #expect(error?.code == .invalidArgument)
        #expect(error?.detail?.contains("is closed") == true)
    }

    /// The result of an operation that completes although it was canceled is not lost.
    @Test func withTimeout_returnsWhatTheOperationGotAtTheLastMoment() async throws {
        try await withTasks { loop in
            let result = try await UVEventLoop.withTimeout(.milliseconds(1)) {
                await withUnsafeContinuation { continuation in
                    loop.callLater(.milliseconds(20)) { continuation.resume(returning: "got") }
                }
            }
            #expect(result == "got")
        }
    }

    @Test func withTimeoutReturnsWhatComesInTime_andCancelsWhatDoesNot() async throws {
        try await #expect(UVEventLoop.withTimeout(.seconds(Int64.max)) { 42 } == 42)  // on no loop
        try await withTasks { loop in
            try await #expect(UVEventLoop.withTimeout(.seconds(60)) { 42 } == 42)
            try await #expect(UVEventLoop.withTimeout(.seconds(Int64.max)) { 42 } == 42)
            let cancelled = Box(false)
            let late = await #expect(throws: UVError.self) {
                try await UVEventLoop.withTimeout(.milliseconds(5)) {
                    do { try await loop.sleep(for: .seconds(3600)) } catch {
                        cancelled.value = true
                        throw error
                    }
                }
            }
            #expect(late?.code == .timedOut)
            #expect(cancelled.value)
            await #expect(throws: UVError.self) {
                try await UVEventLoop.withTimeout(.seconds(60)) { throw UVError(.brokenPipe, operation: "test") }
            }
            let task = Task(executorPreference: loop) {
                try await UVEventLoop.withTimeout(.seconds(3600)) { try await loop.sleep(for: .seconds(3600)) }
            }
            while loop.core.heldCount < 2 { await Task.yield() }
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
        }
        // And where no loop runs.
        await #expect(throws: UVError.self) {
            try await UVEventLoop.withTimeout(.milliseconds(1)) { try await Task.sleep(for: .seconds(3600)) }
        }
    }
}
