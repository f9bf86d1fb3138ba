import Testing

@testable import MonitoredUV

/// Iterations with made-up stamps: every nanosecond ends up in one part.
struct DispatchMeterTests {
    /// A meter that is on and runs from instant 1,000 on.
    private final class Fixture {
        let sums = LoopTimeSums.allocate()
        var meter: DispatchMeter

        init() {
            meter = DispatchMeter(at: 1000, sums)
            meter.beginMonitoring(at: 1000)
            meter.resume(at: 1000)
        }

        deinit { sums.deallocate() }

        func time(at now: UInt64) -> LoopTime { sums.read { now } }

        func enterPoll(at now: UInt64) {
            meter.enterPoll(at: now, mayWrite: false, mayRepeat: false, work: { _ in nil })
        }

        func leavePoll(at now: UInt64) -> UInt64 { meter.leavePoll(at: now, work: { _ in nil }) }
    }

    @Test func parts_sumUpToElapsed() {
        let fixture = Fixture()
        fixture.enterPoll(at: 1010)  // 10 overhead
        fixture.meter.beginCallback(at: 1110)  // 100 poll
        fixture.meter.beginMonitor(at: 1140)
        fixture.meter.stamp(at: 1145)  // 5 monitor
        fixture.meter.beginCallback(at: 1147)  // 2 overhead
        fixture.meter.beginMonitor(at: 1200)
        fixture.meter.stamp(at: 1210)  // 10 monitor
        fixture.meter.pause(at: 1220)  // 10 overhead
        let time = fixture.time(at: 9999)
        #expect(time.poll == .nanoseconds(100))
        #expect(time.callbacks == .nanoseconds(83))
        #expect(time.monitor == .nanoseconds(15))
        #expect(time.overhead == .nanoseconds(22))
        #expect(time.elapsed == .nanoseconds(220))
        #expect(time.utilization == 1 - 100.0 / 220)
    }

    @Test func withoutMonitor_theCallbackIsFollowedByOverhead() {
        let fixture = Fixture()
        fixture.meter.beginCallback(at: 1000)
        fixture.meter.stamp(at: 1040)
        #expect(fixture.time(at: 1050).overhead == .zero)  // the next dispatch may begin with the end of this one
        fixture.enterPoll(at: 1050)
        let time = fixture.time(at: 1050)
        #expect(time.callbacks == .nanoseconds(40))
        #expect(time.overhead == .nanoseconds(10))
        #expect(time.monitor == .zero)
    }

    @Test func whatIsUnderWay_countsUpToNow() {
        let fixture = Fixture()
        fixture.enterPoll(at: 1010)
        #expect(fixture.time(at: 1060).poll == .nanoseconds(50))
        fixture.meter.beginCallback(at: 1100)
        let stuck = fixture.time(at: 5100)
        #expect(stuck.poll == .nanoseconds(90))
        #expect(stuck.callbacks == .nanoseconds(4000))
        #expect(stuck.elapsed == .nanoseconds(4100))
    }

    @Test func timeBetweenRuns_belongsToNoPart() {
        let fixture = Fixture()
        fixture.meter.pause(at: 1010)
        fixture.meter.resume(at: 1_000_000)
        fixture.meter.pause(at: 1_000_005)
        #expect(fixture.time(at: 2_000_000).elapsed == .nanoseconds(15))
    }

    @Test func timeWithoutMonitoring_belongsToNoPart() {
        let fixture = Fixture()
        fixture.meter.beginCallback(at: 1010)
        fixture.meter.endMonitoring(at: 1015)
        fixture.meter.beginMonitoring(at: 5000)
        fixture.enterPoll(at: 5007)
        let time = fixture.time(at: 5010)
        #expect(time.callbacks == .nanoseconds(5))
        #expect(time.overhead == .nanoseconds(17))
        #expect(time.poll == .nanoseconds(3))
    }

    @Test func difference_isTheTimeBetween() {
        let fixture = Fixture()
        fixture.enterPoll(at: 1010)
        let earlier = fixture.time(at: 1010)
        #expect(fixture.leavePoll(at: 1050) == 40)
        fixture.meter.stamp(at: 1050)
        let between = fixture.time(at: 1050) - earlier
        #expect(between.poll == .nanoseconds(40))
        #expect(between.overhead == .zero)
    }

    @Test func utilization_isZero_beforeAnythingRan() {
        let sums = LoopTimeSums.allocate()
        defer { sums.deallocate() }
        #expect(sums.read { 1 }.utilization == 0)
    }
}
