import CLibUV
import Testing

@testable import MonitoredUV

struct UVTimerTests {
    /// The clock is read in the callback; the bound is one-sided, so a busy machine cannot break it.
    @Test(arguments: [1, 250, 999, 1000, 1001, 1500, 4999, 20_000], TimerForm.allCases)
    func timer_isNeverEarly(_ microseconds: Int, _ form: TimerForm) throws {
        try withLoop { loop in
            let delay = Duration.microseconds(microseconds)
            let start = MonotonicClock.read()
            var elapsed: UInt64 = 0
            form.start(on: loop, after: delay) { elapsed = MonotonicClock.read() - start }
            try loop.run()
            #expect(elapsed >= delay.nanosecondsClamped)
        }
    }

    @Test(arguments: TimerForm.allCases)
    func timer_isNotEarly_whenStartedAfterALongCallback(_ form: TimerForm) throws {
        try withLoop { loop in
            var elapsed: UInt64 = 0
            loop.callSoon {
                spin(.milliseconds(60))  // libuv's cached time is now 60 ms old
                let start = MonotonicClock.read()
                form.start(on: loop, after: .milliseconds(30)) { elapsed = MonotonicClock.read() - start }
            }
            try loop.run()
            #expect(elapsed >= 30_000_000)
        }
    }

    @Test(arguments: [Duration.zero, .seconds(-5), .seconds(Int64.min), .nanoseconds(-1)], TimerForm.allCases)
    func timer_firesInTheNextIteration_whenDueAtOnce(_ delay: Duration, _ form: TimerForm) throws {
        try withLoop { loop in
            var fired = 0
            form.start(on: loop, after: delay) { fired += 1 }
            try loop.run(.noWait)
            #expect(fired == 1)
            try loop.run()
        }
    }

    @Test(arguments: [Duration.seconds(Int64.max), .seconds(4_000_000_001)])
    func timer_withAHugeDelay_waits(_ delay: Duration) throws {
        try withLoop { loop in
            let timer = UVTimer(on: loop) { _ in Issue.record("fired") }
            timer.start(after: delay, repeating: delay)
            try #expect(#require(timer.dueIn) > .seconds(3_999_999_000))
            try loop.run(.noWait)
            #expect(timer.isActive)
            timer.close()
            try loop.run()
        }
    }

    @Test(arguments: TimerForm.allCases)
    func timers_fireInTheOrderOfTheirDueTimes(_ form: TimerForm) throws {
        try withLoop { loop in
            var order: [Int] = []
            var isQuick = false
            // All are to be started within the time that lies between two of them, which a busy machine may not allow.
            while !isQuick {
                let start = MonotonicClock.read()
                let timers = [9, 3, 7, 1, 5].map { delay in
                    form.start(on: loop, after: .milliseconds(delay)) { order.append(delay) }
                }
                isQuick = MonotonicClock.read() - start < 1_000_000
                if !isQuick { timers.forEach { $0() } }
            }
            try loop.run()
            #expect(order == [1, 3, 5, 7, 9])
        }
    }

    @Test func repeating_goesOn_untilStopped() throws {
        try withLoop { loop in
            var fired = 0
            let timer = UVTimer(on: loop) { timer in
                fired += 1
                if fired == 5 { timer.stop() }
            }
            timer.start(after: .milliseconds(1), repeating: .microseconds(300))
            #expect(timer.repeatInterval == .microseconds(300))
            try loop.run()
            #expect(fired == 5)
            #expect(!timer.isActive)
            #expect(timer.dueIn == nil)
            timer.close()
            try loop.run()
        }
    }

    @Test func repeatInterval_canBeChanged_andRemoved() throws {
        try withLoop { loop in
            var fired = 0
            let timer = UVTimer(on: loop) { timer in
                fired += 1
                if fired == 3 { timer.repeatInterval = nil }
            }
            timer.start(after: .zero, repeating: .milliseconds(1))
            try loop.run()
            #expect(fired == 4)  // what was armed already still comes
            timer.close()
            try loop.run()
        }
    }

    @Test func again_restartsTheInterval() throws {
        try withLoop { loop in
            let timer = UVTimer(on: loop) { timer in timer.close() }
            #expect((#expect(throws: UVError.self) { try timer.again() })?.code == .invalidArgument)
            timer.start(after: .zero, repeating: .seconds(1000))
            timer.stop()
            try timer.again()
            try #expect(#require(timer.dueIn) > .seconds(990))
            timer.repeatInterval = .milliseconds(1)
            try timer.again()
            try loop.run()
            #expect(timer.isClosing)
            #expect((#expect(throws: UVError.self) { try timer.again() })?.code == .badFileDescriptor)
        }
    }

    @Test func start_ofARunningTimer_replacesTheWait() throws {
        try withLoop { loop in
            var fired = 0
            let timer = UVTimer(on: loop) { _ in fired += 1 }
            timer.start(after: .seconds(3600))
            timer.start(after: .milliseconds(1))
            try loop.run()
            #expect(fired == 1)
            timer.close()
            try loop.run()
        }
    }

    @Test func closedTimer_doesNotFire_alsoWhenClosedByAnotherThatIsDue() throws {
        try withLoop { loop in
            var order: [String] = []
            let second = UVTimer(on: loop) { _ in order.append("second") }
            TimerForm.handle.start(on: loop, after: .milliseconds(1)) {
                order.append("first")
                second.close { order.append("closed") }
            }
            second.start(after: .milliseconds(1))
            spin(.milliseconds(5))
            try loop.run()
            #expect(order == ["first", "closed"])
        }
    }

    @Test func unref_letsTheRunEnd() throws {
        try withLoop { loop in
            let timer = UVTimer(on: loop) { _ in }
            timer.start(after: .seconds(3600))
            #expect(timer.keepsLoopAlive)
            timer.unref()
            #expect(!timer.keepsLoopAlive)
            try #expect(loop.run() == false)
            timer.ref()
            try #expect(loop.run(.noWait))
            timer.close()
            try loop.run()
        }
    }

    @Test(arguments: TimerForm.allCases)
    func timersThatStartEachOther_leaveTheirTurnToOthers(_ form: TimerForm) throws {
        try withLoop { loop in
            var fired = 0
            var checks = 0
            let check = UVCheck(on: loop) { checks += 1 }
            check.start()
            var isDone = false
            func start() {
                form.start(on: loop, after: .zero) {
                    fired += 1
                    if checks < 3 { start() } else { isDone = true }
                }
            }
            start()
            while !isDone { try loop.run(.noWait) }
            #expect(fired <= checks + 1)
            check.close()
            try loop.run()
        }
    }

    /// libuv's poll waits from when it last read the clock: what the loop did since then made timers late by as much.
    @Test(arguments: AfterWork.allCases, TimerForm.allCases)
    func timer_isNotLateByWhatTheLoopDidBeforeItWasAsked(_ place: AfterWork, _ form: TimerForm) throws {
        let work = Duration.milliseconds(60)
        // The machine may hold up one of them.
        var least = Duration.seconds(100)
        for _ in 0..<5 {
            try withLoop { loop in
                var asked: UInt64 = 0
                func workAndAsk() {
                    spin(work)
                    asked = MonotonicClock.read()
                    form.start(on: loop, after: .milliseconds(10)) {
                        least = min(least, Duration(nanoseconds: MonotonicClock.read() - asked))
                    }
                }
                try place.run(workAndAsk, on: loop)
            }
        }
        #expect(least < work)
    }

    enum AfterWork: CaseIterable {
        case posted, timer, prepare, beforeTheRun, onceBeforeTheRun

        func run(_ body: @escaping () -> Void, on loop: UVEventLoop) throws {
            switch self {
            case .posted: loop.callSoon(body)
            case .timer: loop.callLater(.zero) { body() }
            case .prepare:
                var hook: UVPrepare?
                hook = UVPrepare(on: loop) {
                    hook?.close()
                    hook = nil
                    body()
                }
                hook?.start()
            case .beforeTheRun: body()
            case .onceBeforeTheRun:
                body()
                while try loop.run(.once) {}
            }
            try loop.run()
        }
    }

    @Test func repeatingTimersInterval_containsTheWorkOfItsCalls() throws {
        let interval = Duration.milliseconds(50)
        let work = Duration.milliseconds(20)
        var starts: [UInt64] = []
        try withLoop { loop in
            let timer = UVTimer(on: loop) { timer in
                starts.append(MonotonicClock.read())
                spin(work)
                if starts.count == 6 { timer.close() }
            }
            timer.start(after: interval, repeating: interval)
            try loop.run()
        }
        let gaps = zip(starts.dropFirst(), starts).map { Duration(nanoseconds: $0 - $1) }
        #expect(gaps.min()! < interval + work)
    }
}

/// The two ways to wait on a loop.
enum TimerForm: CaseIterable {
    case handle, callback

    /// Calls `body` once; what is returned cancels that.
    @discardableResult
    func start(on loop: UVEventLoop, after delay: Duration, _ body: @escaping () -> Void) -> () -> Void {
        switch self {
        case .handle:
            let timer = UVTimer(on: loop) { timer in
                timer.close()
                body()
            }
            timer.start(after: delay)
            return { timer.close() }
        case .callback:
            let callback = loop.callLater(delay, body)
            return { callback.cancel() }
        }
    }
}
