import Testing

@testable import MonitoredUV

private let millisecond: UInt64 = 1_000_000

/// The watchdog's rules, with made-up clocks and threads.
struct StallTrackerTests {
    private func dispatch(_ start: UInt64) -> InFlight.Dispatch {
        InFlight.Dispatch(start: start * millisecond, name: .other, kind: .timer)
    }

    /// A thread that has used the processor for so long, in milliseconds, and waited for it for so long.
    private func usage(_ running: UInt64, _ waiting: UInt64 = 0) -> () -> ThreadUsage? {
        { ThreadUsage(running: running * millisecond, waitingToRun: waiting * millisecond) }
    }

    @Test func dispatch_isReportedOnce_whenItPassesTheLimit() {
        var tracker = StallTracker(limit: 100 * millisecond)
        let busy = dispatch(1000)
        #expect(tracker.observe(nil, at: 1000 * millisecond, usage: usage(0)) == .nothing)
        #expect(tracker.observe(busy, at: 1030 * millisecond, usage: usage(30)) == .nothing)
        #expect(tracker.nextLook(after: 1030 * millisecond) == 1080 * millisecond)
        #expect(tracker.observe(busy, at: 1080 * millisecond, usage: usage(80)) == .nothing)
        #expect(tracker.nextLook(after: 1080 * millisecond) == 1100 * millisecond)
        let began = tracker.observe(busy, at: 1101 * millisecond, usage: usage(101))
        #expect(began == .began(.init(dispatch: busy, duration: 101 * millisecond, cause: .cpu)))
        #expect(tracker.observe(busy, at: 1150 * millisecond, usage: usage(150)) == .nothing)
    }

    @Test func dispatchesBelowTheLimit_areNoStall_howeverManyThereAre() {
        var tracker = StallTracker(limit: 100 * millisecond)
        for start in stride(from: UInt64(1000), to: 5000, by: 99) {
            for age in [UInt64(1), 50, 98] {
                let now = (start + age) * millisecond
                #expect(tracker.observe(dispatch(start), at: now, usage: usage(0)) == .nothing)
            }
        }
    }

    @Test func reportsOfOneDispatch_comeLessAndLess() {
        var tracker = StallTracker(limit: 100 * millisecond)
        let stuck = dispatch(1000)
        var reports: [UInt64] = []
        for age in UInt64(0)..<100_000 {
            let found = tracker.observe(stuck, at: (1000 + age) * millisecond, usage: usage(0))
            if found != .nothing { reports.append(age) }
        }
        #expect(reports == [100, 1100, 4400, 17_600, 70_400])
    }

    @Test func end_hasTheTrueDuration() {
        var tracker = StallTracker(limit: 100 * millisecond)
        let stuck = dispatch(1000)
        _ = tracker.observe(stuck, at: 1010 * millisecond, usage: usage(0))
        _ = tracker.observe(stuck, at: 1100 * millisecond, usage: usage(0))
        let wall = 123 * millisecond + 456
        let ended = tracker.ended(stuck, wall: wall, at: 1200 * millisecond, usage: usage(0))
        #expect(ended == .init(dispatch: stuck, duration: wall, cause: .wait))
        // It may still look as if it were running.
        #expect(tracker.observe(stuck, at: 1300 * millisecond, usage: usage(0)) == .nothing)
    }

    @Test func cause_isWhatTheThreadDidForMostOfTheTime() {
        let time = 100 * millisecond
        func cause(_ running: UInt64, _ waiting: UInt64) -> StallCause {
            StallTracker.cause(from: usage(0)()!, to: usage(running, waiting)()!, of: time)
        }
        #expect(cause(100, 0) == .cpu)
        #expect(cause(60, 0) == .cpu)
        #expect(cause(40, 0) == .wait)
        #expect(cause(0, 0) == .wait)
        #expect(cause(10, 80) == .descheduled)
        #expect(cause(45, 55) == .descheduled)
        #expect(cause(55, 45) == .cpu)
        #expect(cause(0, 40) == .wait)
    }

    /// A wait for a processor that is going on, and what a hypervisor takes, no system counts.
    @Test func threadThatNeverSlept_wasKeptFromRunning() {
        let time = 100 * millisecond
        func cause(_ running: UInt64, sleeps: UInt64, awake: (Bool, Bool), hasEnded: Bool = false) -> StallCause {
            let first = ThreadUsage(running: 0, waitingToRun: 0, sleeps: 5, isRunnable: awake.0)
            let running = running * millisecond
            let last = ThreadUsage(running: running, waitingToRun: 0, sleeps: 5 + sleeps, isRunnable: awake.1)
            return StallTracker.cause(from: first, to: last, of: time, hasEnded: hasEnded)
        }
        #expect(cause(20, sleeps: 0, awake: (true, true)) == .descheduled)
        #expect(cause(60, sleeps: 0, awake: (true, true)) == .cpu)
        #expect(cause(20, sleeps: 1, awake: (true, true)) == .wait)
        #expect(cause(20, sleeps: 1, awake: (true, false)) == .wait)
        // Asleep all the time, and woken just now.
        #expect(cause(0, sleeps: 0, awake: (false, true)) == .wait)
        // It sleeps in the poll that came behind.
        #expect(cause(20, sleeps: 1, awake: (true, false), hasEnded: true) == .descheduled)
        #expect(cause(20, sleeps: 2, awake: (true, false), hasEnded: true) == .wait)
        #expect(cause(20, sleeps: 1, awake: (true, true), hasEnded: true) == .wait)
    }

    @Test func dispatchSeenTooLate_becauseTheMachineWasBusy_isDescheduled() {
        var tracker = StallTracker(limit: 100 * millisecond)
        let late = tracker.observe(dispatch(1000), at: 1500 * millisecond, isStarved: true, usage: usage(0))
        #expect(late == .began(.init(dispatch: dispatch(1000), duration: 500 * millisecond, cause: .descheduled)))
    }

    @Test func dispatchSeenTooLate_isLookedAtForAMoment() {
        var tracker = StallTracker(limit: 100 * millisecond)
        #expect(tracker.observe(dispatch(1000), at: 1500 * millisecond, usage: usage(7)) == .nothing)
        #expect(tracker.nextLook(after: 1500 * millisecond) == 1525 * millisecond)
        let found = tracker.observe(dispatch(1000), at: 1525 * millisecond, usage: usage(30))
        #expect(found == .began(.init(dispatch: dispatch(1000), duration: 525 * millisecond, cause: .cpu)))
    }

    @Test func processThatStoodStill_getsItsLimitAnew() {
        var tracker = StallTracker(limit: 100 * millisecond)
        let stopped = dispatch(1000)
        _ = tracker.observe(stopped, at: 1010 * millisecond, usage: usage(0))
        tracker.resetDeadline(at: 9000 * millisecond)
        #expect(tracker.observe(stopped, at: 9001 * millisecond, usage: usage(0)) == .nothing)
        #expect(tracker.ended(stopped, wall: 8050 * millisecond, at: 9051 * millisecond, usage: usage(0)) == nil)

        let stuck = dispatch(9100)
        _ = tracker.observe(stuck, at: 9100 * millisecond, usage: usage(0))
        tracker.resetDeadline(at: 20_000 * millisecond)
        #expect(tracker.observe(stuck, at: 20_099 * millisecond, usage: usage(0)) == .nothing)
        #expect(tracker.observe(stuck, at: 20_100 * millisecond, usage: usage(0)) != .nothing)
        #expect(tracker.ended(stuck, wall: 11_050 * millisecond, at: 20_150 * millisecond, usage: usage(0)) != nil)
    }

    /// A listener that received a beginning receives the end.
    @Test func stallThatWasReported_hasAnEnd_alsoIfTheProcessStoodStill() {
        var tracker = StallTracker(limit: 100 * millisecond)
        let stuck = dispatch(1000)
        _ = tracker.observe(stuck, at: 1000 * millisecond, usage: usage(0))
        #expect(tracker.observe(stuck, at: 1100 * millisecond, usage: usage(0)) != .nothing)
        tracker.resetDeadline(at: 9000 * millisecond)
        #expect(tracker.ended(stuck, wall: 8020 * millisecond, at: 9020 * millisecond, usage: usage(0)) != nil)
    }

    /// The loop did not know the limit when it began, and says nothing.
    @Test func whatIsGoneWithoutAWord_isFound() {
        var tracker = StallTracker(limit: 100 * millisecond)
        let gone = dispatch(1000)
        _ = tracker.observe(gone, at: 1010 * millisecond, usage: usage(0))
        #expect(tracker.gone(1000 * millisecond, at: 1150 * millisecond) == nil)
        #expect(tracker.gone(nil, at: 1050 * millisecond) == nil)
        let unreported = tracker.gone(nil, at: 1150 * millisecond)
        #expect(unreported?.0 == gone && unreported?.wasReported == false)
        _ = tracker.observe(gone, at: 1150 * millisecond, usage: usage(0))
        #expect(tracker.gone(2000 * millisecond, at: 1151 * millisecond)?.wasReported == true)
    }

    @Test func withoutUsage_thereIsNoCause() {
        var tracker = StallTracker(limit: 100 * millisecond)
        let stuck = dispatch(1000)
        _ = tracker.observe(stuck, at: 1000 * millisecond, usage: { nil })
        let found = tracker.observe(stuck, at: 1100 * millisecond, usage: { nil })
        #expect(found == .began(.init(dispatch: stuck, duration: 100 * millisecond, cause: nil)))
    }

    @Test func wakingLate_isASuspension_unlessAProcessorWasMissing() {
        let (planned, now) = (1000 * millisecond, 3000 * millisecond)
        #expect(SuspensionDetector.lateness(since: planned, now, usage(0, 1500)()) == .starved)
        #expect(SuspensionDetector.lateness(since: planned, now, usage(0, 3)()) == .suspended(since: planned))
        #expect(SuspensionDetector.lateness(since: planned, now, nil) == .suspended(since: planned))
    }

    @Test func stopOfTheProcess_isNoticed_howeverShortTheSleep() {
        var detector = SuspensionDetector(thread: nil)
        detector.sleeps(until: 1001 * millisecond, at: 1000 * millisecond)
        #expect(detector.wokeUp(at: 1701 * millisecond) == .suspended(since: 1001 * millisecond))
        detector.sleeps(until: 1750 * millisecond, at: 1702 * millisecond)
        #expect(detector.wokeUp(at: 1790 * millisecond) == nil)
        // It may sleep for as long as nothing is due.
        detector.sleeps(until: .max, at: 1800 * millisecond)
        #expect(detector.wokeUp(at: 9000 * millisecond) == nil)
    }

    @Test func fiveAMinute_andTheOthersAreCounted() {
        var limit = ReportLimit(5, per: 60_000 * millisecond)
        let admitted = (0..<8).map { limit.admit(at: (1000 + $0) * millisecond) }
        #expect(admitted == [0, 0, 0, 0, 0, nil, nil, nil])
        #expect(limit.admit(at: 60_999 * millisecond) == nil)
        #expect(limit.admit(at: 61_000 * millisecond) == 4)
        #expect(limit.admit(at: 61_000 * millisecond) == nil)
        #expect(limit.admit(at: 61_001 * millisecond) == 1)
    }

    @Test func dispatchThatWasNotSeen_isExcusedAsWell() {
        var tracker = StallTracker(limit: 100 * millisecond)
        tracker.resetDeadline(at: 9000 * millisecond)
        let unseen = dispatch(8900)
        #expect(tracker.ended(unseen, wall: 150 * millisecond, at: 9050 * millisecond, usage: usage(0)) == nil)
        #expect(tracker.observe(dispatch(8950), at: 9099 * millisecond, usage: usage(0)) == .nothing)
        #expect(tracker.observe(dispatch(8950), at: 9124 * millisecond, usage: usage(0)) != .nothing)
        #expect(tracker.ended(dispatch(9200), wall: 150 * millisecond, at: 9400 * millisecond, usage: usage(0)) != nil)
    }

    @Test func endThatLiesAheadOfTheLook_doesNoHarm() {
        var tracker = StallTracker(limit: 100 * millisecond)
        let stuck = dispatch(1000)
        _ = tracker.observe(stuck, at: 1500 * millisecond, isStarved: true, usage: usage(0))
        #expect(tracker.ended(stuck, wall: 450 * millisecond, at: 1400 * millisecond, usage: usage(0)) != nil)
        _ = tracker.observe(dispatch(2000), at: 2100 * millisecond, usage: usage(0))
        #expect(tracker.ended(dispatch(2000), wall: 200 * millisecond, at: 2150 * millisecond, usage: usage(0)) != nil)
    }

    @Test func stallThatWasAdmitted_isReportedToItsEnd_andOneThatWasNotIsCountedOnce() {
        let listener = StallListener(
            limit: 100 * millisecond,
            isWatching: true,
            reports: ReportLimit(1, per: 60_000 * millisecond)
        ) { _ in }
        func admit(_ start: UInt64, at now: UInt64) -> StallListener.Admission {
            let stall = StallTracker.Sighting(dispatch: dispatch(start), duration: 100 * millisecond, cause: .cpu)
            return listener.admit(stall, at: now * millisecond)
        }
        #expect(admit(1000, at: 1100) == .admitted(suppressed: 0))
        #expect(admit(1000, at: 2100) == .admitted(suppressed: 0))
        #expect(admit(1000, at: 2200) == .admitted(suppressed: 0))
        #expect(admit(3000, at: 3100) == .refused)
        #expect(admit(3000, at: 3200) == .refusedBefore)
        #expect(admit(70_000, at: 70_100) == .admitted(suppressed: 1))
    }
}
