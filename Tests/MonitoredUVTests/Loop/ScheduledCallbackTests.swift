import Foundation
import Testing

@testable import MonitoredUV

struct ScheduledCallbackTests {
    @Test func callAt_waitsForTheInstant() throws {
        try withLoop { loop in
            let instant = ContinuousClock.now + .milliseconds(20)
            var late: Duration?
            loop.callAt(instant) { late = instant.duration(to: .now) }
            var past = false
            loop.callAt(.now - .seconds(5)) { past = true }
            try loop.run()
            #expect(past)
            // Two clocks of the system, which may drift apart by parts per million.
            try #expect(#require(late) > .microseconds(-10))
        }
    }

    @Test func hundredThousandTimers_allFire() throws {
        try withLoop { loop in
            var fired = 0
            for number in 0..<100_000 { loop.callLater(.microseconds(number % 2000)) { fired += 1 } }
            try loop.run()
            #expect(fired == 100_000)
        }
    }

    @Test func callback_isPending_untilItIsCalled() throws {
        try withLoop { loop in
            let callback = loop.callLater(.milliseconds(1)) {}
            #expect(callback.isPending)
            try #expect(#require(callback.dueIn) <= .milliseconds(1))
            try loop.run()
            #expect(!callback.isPending)
            #expect(callback.dueIn == nil)
            #expect(!callback.reschedule(after: .zero))
            callback.cancel()
            #expect(loop.core.heldCount == 0)
        }
    }

    /// A timer that was canceled or put off wakes the loop at its old time, which does not end a run of one iteration.
    @Test func runOnce_waitsForATimerThatIsDue() throws {
        // From 1.45 on, libuv returns from a poll whose time is up although its coarse clock may not be there yet.
        try withLoop(attempts: 5) { loop in
            let canceled = loop.callLater(.milliseconds(1)) { Issue.record("fired") }
            let putOff = loop.callLater(.milliseconds(2)) {}
            var fired = 0
            let others = (0..<20).map { loop.callLater(.milliseconds(20 + $0)) { fired += 1 } }
            canceled.cancel()
            putOff.reschedule(after: .seconds(100))
            try loop.run(.once)
            (others + [putOff]).forEach { $0.cancel() }
            return fired >= 1
        }
    }

    /// A run of one iteration ends with whatever else happened in it: a request that failed at once, or a handle's end.
    @Test func runOnce_endsWithWhatElseHappened() throws {
        try withLoop { loop in
            let far = loop.callLater(.seconds(100)) {}
            func cancelOverdue() {
                let canceled = loop.callLater(.milliseconds(1)) {}
                canceled.cancel()
                usleep(3000)
            }
            let (server, client) = (try UVTCP(on: loop), try UVTCP(on: loop))
            try server.bind(to: UVSocketAddress("127.0.0.1", port: 0))
            try server.listen { _ in }
            try client.bind(to: server.localAddress())  // libuv tells of the address that is taken when it connects
            var failure: UVError?
            try client.connect(to: server.localAddress()) { failure = $0 }
            cancelOverdue()
            while failure == nil { try loop.run(.once) }
            #expect(failure?.code == .addressInUse)
            cancelOverdue()
            client.close()
            server.close()
            try loop.run(.once)
            let idle = UVIdle(on: loop) {}
            var count = 0
            idle.close()
            let counting = UVIdle(on: loop) { count += 1 }
            counting.start()
            cancelOverdue()
            try loop.run(.once)
            #expect(count == 1)
            counting.close()
            far.cancel()
            try loop.run()
        }
    }

    /// Timers of a pool do not wait for a crowd of timers of the loop that they ring on.
    @Test func poolsTimers_fireBesideACrowdOfTheLoop() throws {
        try withLoop { loop in
            let pool = JobPool(timer: loop.shared.wakeUp)
            loop.core.alarm.pool = pool
            var fired = 0
            for _ in 0..<5000 { loop.callLater(.zero) { fired += 1 } }
            var firedBefore: [Int] = []
            pool.withTimers { timers in
                for _ in 0..<2 { _ = timers.start(due: loop.core.clock.now(), .wake { firedBefore.append(fired) }) }
            }
            try loop.run()
            #expect(fired == 5000)
            #expect(firedBefore.count == 2)
            #expect(firedBefore.allSatisfy { $0 < 5000 })
            loop.core.alarm.pool = nil
        }
    }

    @Test(arguments: [Duration.seconds(Int64.max), .seconds(4_000_000_001)])
    func callback_withAHugeDelay_waits(_ delay: Duration) throws {
        try withLoop { loop in
            let callback = loop.callLater(delay, repeating: delay) { _ in Issue.record("fired") }
            try #expect(#require(callback.dueIn) > .seconds(3_999_999_000))
            try loop.run(.noWait)
            #expect(callback.isPending)
            callback.cancel()
            try #expect(loop.run() == false)
        }
    }

    /// Cancels before the run, from another callback that is due at the same time, from itself, and twice.
    @Test func canceledCallback_isNotCalled_andReleasedAtOnce() throws {
        final class Held {}
        try withLoop { loop in
            weak var held: Held?
            func schedule(_ delay: Duration) -> ScheduledCallback {
                let object = Held()
                held = object
                return loop.callLater(delay) { withExtendedLifetime(object) { _ = Issue.record("called") } }
            }
            let early = schedule(.seconds(3600))
            #expect(held != nil)
            early.cancel()
            #expect(held == nil)
            early.cancel()
            try #expect(loop.run() == false)

            var second: ScheduledCallback?
            var order: [String] = []
            loop.callLater(.milliseconds(1)) {
                order.append("first")
                second?.cancel()
                #expect(held == nil)
            }
            second = schedule(.milliseconds(1))
            spin(.milliseconds(3))
            try loop.run()
            #expect(order == ["first"])

            var calls = 0
            loop.callLater(.zero, repeating: .milliseconds(1)) { callback in
                calls += 1
                #expect(callback.isPending)
                callback.cancel()
                callback.cancel()
                #expect(!callback.isPending)
            }
            try loop.run()
            #expect(calls == 1)
        }
    }

    /// A slot that is used again must not obey the one that had it before.
    @Test func oldCallback_doesNotReachTheNextInItsPlace() throws {
        try withLoop { loop in
            var calls = 0
            let first = loop.callLater(.seconds(3600)) {}
            first.cancel()
            let second = loop.callLater(.milliseconds(1)) { calls += 1 }
            first.cancel()
            #expect(!first.reschedule(after: .seconds(3600)))
            #expect(second.isPending)
            try loop.run()
            #expect(calls == 1)
        }
    }

    @Test(arguments: [Duration.milliseconds(1), .milliseconds(30)])
    func rescheduled_comesOnce_atItsNewTime(_ first: Duration) throws {
        try withLoop { loop in
            var calls: [UInt64] = []
            let callback = loop.callLater(first) { calls.append(MonotonicClock.read()) }
            let before = MonotonicClock.read()
            #expect(callback.reschedule(after: .milliseconds(10)))
            try loop.run()
            #expect(calls.count == 1)
            #expect(calls[0] >= before + 10_000_000)
        }
    }

    /// A server's timeout for silence: put off by each sign of life, and never called.
    @Test func putOffAgainAndAgain_neverComes_andKeepsOneTimer() throws {
        try withLoop { loop in
            let silence = loop.callLater(.milliseconds(200)) { Issue.record("called") }
            var signs = 0
            loop.callLater(.zero, repeating: .milliseconds(1)) { callback in
                signs += 1
                #expect(silence.reschedule(after: .seconds(100)))
                #expect(loop.core.timers.count == 2)
                if signs == 100 {
                    callback.cancel()
                    silence.cancel()
                }
            }
            try loop.run()
            #expect(signs == 100)
        }
    }

    /// Twenty milliseconds of work at an interval of ten: every other time is skipped, and the rhythm stays.
    @Test func repeating_keepsItsRhythm_andSkipsWhatHasPassed() throws {
        try withLoop { loop in
            let interval = Duration.milliseconds(10)
            let recorder = Recorder(on: loop)
            let start = MonotonicClock.read()
            var calls = 0
            loop.callLater(interval, repeating: interval) { callback in
                calls += 1
                if calls == 2 { spin(.milliseconds(45)) }
                if calls == 6 { callback.cancel() }
            }
            let end = MonotonicClock.read()
            try loop.run()
            // Start minus lag is when each was due.
            let dues = recorder.of(.timer).map { ($0.start - $0.loopLag).nanosecondsClamped }
            #expect(dues.count == 6)
            for due in dues {
                let fromFirst = due - dues[0]
                #expect(fromFirst % 10_000_000 == 0)
            }
            #expect((start + 10_000_000...end + 10_000_000).contains(dues[0]))
            // Due while the second ran, then only times after its end.
            #expect(dues[2] - dues[1] == 10_000_000)
            #expect(dues[3] - dues[2] >= 40_000_000)
            #expect(zip(dues, dues.dropFirst()).allSatisfy { $0 < $1 })
        }
    }

    @Test func repeating_withoutAnInterval_leavesItsTurnToOthers() throws {
        try withLoop { loop in
            var calls = 0
            var checks = 0
            let check = UVCheck(on: loop) { checks += 1 }
            check.start()
            loop.callLater(.zero, repeating: .zero) { callback in
                calls += 1
                if calls == 10 { callback.cancel() }
            }
            while calls < 10 { try loop.run(.once) }
            #expect(checks >= 9)
            check.close()
            try loop.run()
        }
    }

    @Test func name_isShown_fromALiteralAndFromAString() throws {
        try withLoop { loop in
            let recorder = Recorder(on: loop)
            for number in 1...3 {
                let name = DispatchName("shard \(number)")
                loop.callLater(.zero, name: name) {}
                loop.callSoon(name: name) {}
                loop.execute(name: name) {}
            }
            loop.callLater(.zero, name: "literal") {}
            loop.callLater(.zero, repeating: .zero, name: "again") { $0.cancel() }
            loop.callLater(.zero) {}
            try loop.run()
            for number in 1...3 { #expect(recorder.named("shard \(number)").count == 3) }
            #expect(recorder.named("literal").map(\.kind) == [.timer])
            #expect(recorder.named("again").map(\.kind) == [.timer])
            #expect(recorder.states.contains { $0.callbackPrettyName.hasPrefix("ScheduledCallbackTests.swift:") })
        }
    }

    @Test func callbacksThatWait_areWhatTheLoopHolds_andKeepItOpen() throws {
        try withLoop { loop in
            let callbacks = (0..<3).map { _ in loop.callLater(.seconds(3600)) {} }
            #expect(loop.core.heldCount == 3)
            let error = #expect(throws: UVError.self) { try loop.close() }
            #expect(error?.detail?.contains("3 scheduled callbacks") == true)
            try #expect(loop.run(.noWait))
            callbacks.forEach { $0.cancel() }
            #expect(loop.core.heldCount == 0)
            try #expect(loop.run() == false)
        }
    }

    /// Objects that are freed may start and cancel others, in the middle of the timer's own work.
    @Test func callbacksThatAreReleased_mayScheduleOthers() throws {
        final class Scheduler {
            let body: () -> Void
            init(_ body: @escaping () -> Void) { self.body = body }
            deinit { body() }
        }
        try withLoop { loop in
            var calls = 0
            func schedule(_ delay: Duration, _ onRelease: @escaping () -> Void) -> ScheduledCallback {
                let object = Scheduler(onRelease)
                return loop.callLater(delay) { withExtendedLifetime(object) { calls += 1 } }
            }
            for _ in 0..<200 {  // more than fit into the wheel's first block
                _ = schedule(.zero) { for _ in 0..<10 { loop.callLater(.milliseconds(1)) { calls += 1 } } }
            }
            schedule(.seconds(100)) { loop.callLater(.zero) { calls += 1 } }.cancel()
            try loop.run()
            #expect(calls == 200 + 2000 + 1)
        }
    }

    @Test func closedLoop_andShutdown_letGoOfCallbacks() throws {
        final class Held: Sendable {}
        weak var held: Held?
        do {
            let group = try UVEventLoopGroup(count: 1)
            let loop = group.loops[0]
            let object = Held()
            held = object
            loop.execute {
                UVEventLoop.current!.callLater(.seconds(3600)) { withExtendedLifetime(object) {} }
                UVEventLoop.current!.callLater(.seconds(3600), repeating: .seconds(1)) { _ in
                    withExtendedLifetime(object) {}
                }
            }
            group.shutdown()
        }
        #expect(held == nil)
    }

    /// A shutdown cancels tasks; what their handlers schedule on the way ends with the loop, and old callbacks stay dead.
    @Test func callbacksThatCanceledTasksSchedule_areLetGo() throws {
        final class Held: Sendable {}
        weak var held: Held?
        let ran = Counter()
        do {
            let object = Held()
            held = object
            try onOtherThread {
                try? UVEventLoop.run {
                    _ = Task(executorPreference: UVEventLoop.current!) {
                        await withTaskCancellationHandler {
                            try? await Task.sleep(for: .seconds(3600))
                        } onCancel: {
                            UVEventLoop.current?.callLater(.seconds(3600)) { withExtendedLifetime(object) {} }
                            ran.count()
                        }
                    }
                    for _ in 0..<10 { await Task.yield() }
                }
            }
        }
        #expect(ran.value == 1)
        #expect(held == nil)
    }

    @Test func timersOfABurst_giveTheirMemoryBack() throws {
        try withLoop { loop in
            let callbacks = (0..<50_000).map { loop.callLater(.seconds(3600 + $0)) {} }
            callbacks.forEach { $0.cancel() }
            #expect(loop.core.heldCount == 0)
            let again = loop.callLater(.milliseconds(1)) {}
            #expect(callbacks.allSatisfy { !$0.isPending })
            #expect(again.isPending)
            try loop.run()
        }
    }
}
