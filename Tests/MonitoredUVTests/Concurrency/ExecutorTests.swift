import Synchronization
import Testing

@testable import MonitoredUV

@Suite struct ExecutorTests {
    private actor Pinned {
        nonisolated let loop: UVEventLoop
        nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
        init(_ loop: UVEventLoop) { self.loop = loop }
        var count = 0
        func add() -> Bool {
            count += 1
            return isOn(loop)
        }
        func addAcrossYield() async -> Bool {
            count += 1
            await Task.yield()
            return isOn(loop)
        }
    }

    private actor Plain { func isOnLoop(_ loop: UVEventLoop) -> Bool { isOn(loop) } }

    private nonisolated func isOnLoop(_ loop: UVEventLoop) async -> Bool { isOn(loop) }

    @Test func aTaskThatPrefersTheLoopStaysThere_withItsChildren_actorsAndFunctions() async throws {
        try await withTasks { loop in
            #expect(isOn(loop), "body")
            #expect(await isOnLoop(loop), "nonisolated function")
            #expect(await Plain().isOnLoop(loop), "actor")
            #expect(isOn(loop), "after the actor")
            async let child = isOnLoop(loop)
            #expect(await child, "async let")
            let group = await withTaskGroup(of: Bool.self) { group in
                for _ in 0..<3 { group.addTask { isOn(loop) } }
                return await group.reduce(true) { $0 && $1 }
            }
            #expect(group, "task group")
            #expect(await Task(executorPreference: loop) { isOn(loop) }.value, "Task with a preference")
            await Task.yield()
            #expect(isOn(loop), "after a yield")
            try await Task.sleep(for: .milliseconds(1))
            #expect(isOn(loop), "after a sleep")
            let (stream, continuation) = AsyncStream<Int>.makeStream()
            try onOtherThread {
                continuation.yield(1)
                continuation.finish()
            }
            for await _ in stream { #expect(isOn(loop), "in an AsyncStream") }
        }
    }

    @Test func unstructuredTasksAndMainActorEscape_andComeBack() async throws {
        try await withTasks { loop in
            #expect(await Task { isOn(loop) }.value == false)
            #expect(await Task.detached { isOn(loop) }.value == false)
            #expect(await MainActor.run { isOn(loop) } == false)
            #expect(isOn(loop))
        }
    }

    @Test func withTaskExecutorPreferenceMovesATaskToTheLoopAndBack() async throws {
        try await withTasks { loop in
            let moved = await Task.detached { await withTaskExecutorPreference(loop) { isOn(loop) } }.value
            #expect(moved)
            #expect(await withTaskExecutorPreference(globalConcurrentExecutor) { isOn(loop) } == false)
            #expect(isOn(loop))
        }
    }

    @Test func anActorPinnedToTheLoopRunsThere_whoeverCallsIt() async throws {
        try await withTasks { loop in
            let pinned = Pinned(loop)
            #expect(await pinned.add())
            #expect(await pinned.addAcrossYield())
            #expect(await Task.detached { await pinned.add() }.value)
            #expect(await Task.detached { await pinned.addAcrossYield() }.value)
            #expect(await pinned.count == 4)
        }
    }

    @Test func callbacksOfTheLoopAreIsolatedToActorsThatArePinnedToIt() async throws {
        try await withTasks { loop in
            let pinned = Pinned(loop)
            try await LoopOperation<Void>.wait(on: loop, "test") { operation in
                loop.callLater(.zero) {
                    pinned.preconditionIsolated()
                    pinned.assumeIsolated { $0.count += 100 }
                    operation.resume(returning: ())
                }
            }
            #expect(await pinned.count == 100)
        }
    }

    @Test func assumingIsolationOnAnotherThreadTraps() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let loop = try UVEventLoop(name: "pinned")
            let pinned = Pinned(loop)
            try onOtherThread { pinned.assumeIsolated { $0.count += 1 } }
        }
        #expect(
            result.map { String(decoding: $0.standardErrorContent, as: UTF8.self).contains("Incorrect actor executor") }
                == true
        )
    }

    @Test func aLoopDoesNotCloseWhileJobsOrSleepsWait() throws {
        try withLoop { loop in
            Task(executorPreference: loop) { try await Task.sleep(for: .milliseconds(100)) }
            let jobs = #expect(throws: UVError.self) { try loop.close() }
            #expect(jobs?.detail?.contains("1 posted closure or job") == true)
            try loop.run(.noWait)
            let sleeps = #expect(throws: UVError.self) { try loop.close() }
            #expect(sleeps?.detail?.contains("1 sleeping task") == true)
            try loop.run()
        }
    }

    @Test func everyJobIsADispatch_withTheTimeThatItWaitedAndRan() async throws {
        let states = try await withTasks(monitored: true) { loop in
            async let waiting: Void = {}()
            spin(.milliseconds(20))
            await waiting
            await Task(name: "busy", executorPreference: loop) { spin(.milliseconds(10)) }.value
        }
        let jobs = states.filter { $0.kind == .job }
        #expect(jobs.count >= 5)
        #expect(jobs.allSatisfy { $0.isLoopLagExact })
        #expect(jobs.contains { $0.loopLag >= .milliseconds(20) && $0.callbackWallTime < .milliseconds(20) })
        let busy = states.first { $0.callbackPrettyName == "busy" }
        #expect(busy.map { $0.callbackWallTime >= .milliseconds(10) } == true)
        #expect(states.last?.loopHandlesCount == 0)
    }

    @Test func jobsThatWaitCountAsHeld() async throws {
        let states = try await withTasks(monitored: true) { loop in
            await withDiscardingTaskGroup { group in for _ in 0..<10 { group.addTask(name: "child") {} } }
        }
        let held = states.filter { $0.callbackPrettyName == "child" }.map(\.loopHandlesCount)
        #expect(held.prefix(9) == [9, 8, 7, 6, 5, 4, 3, 2, 1])
    }

    @Test func tasksThatYieldForEverStarveNeitherTimersNorIONorOtherThreads() async throws {
        try await withTasks { loop in
            let isOver = Box(false)
            let (iterations, yields, mostAtOnce) = (Box(0), Box(0), Box(0))
            let yielding = Task(executorPreference: loop) {
                await withDiscardingTaskGroup { group in
                    for _ in 0..<200 {
                        group.addTask {
                            while !isOver.value {
                                yields.value += 1
                                await Task.yield()
                            }
                        }
                    }
                }
            }
            try await LoopOperation<Void>.wait(on: loop, "test") { operation in
                var before = 0
                let check = UVCheck(on: loop) {
                    mostAtOnce.value = max(mostAtOnce.value, yields.value - before)
                    before = yields.value
                    iterations.value += 1
                }
                check.start()
                var left = 3
                func happened() {
                    left -= 1
                    guard left == 0 else { return }
                    isOver.value = true
                    check.close()
                    operation.resume(returning: ())
                }
                let bound = UVLoopBound(happened, to: loop)
                succeed { try onOtherThread { loop.execute { bound.value() } } }
                loop.callLater(.milliseconds(2)) { happened() }
                succeed {
                    try loop.pair { client, accepted in
                        try accepted.startReading { _ in
                            happened()
                            accepted.close()
                            client.close()
                        } onEnd: { _ in
                        }
                        try client.write("x")
                    }
                }
            }
            await yielding.value
            #expect(iterations.value >= 1)
            #expect(mostAtOnce.value > 0)
            #expect(mostAtOnce.value <= 2 * LoopCore.jobsPerDrain)
        }
    }
}
