import Testing

@testable import MonitoredUV

/// Iterations with made-up stamps: every nanosecond ends up in one part.
struct DispatchMeterTests {
    /// A meter that is on and runs from instant 1,000 on.
    private final class Fixture {
        let sums = LoopTimeSums()
        var meter = DispatchMeter(at: 1000)

        init() {
            meter.beginMonitoring(at: 1000, sums)
            meter.resume(at: 1000, sums)
        }

        func time(at now: UInt64) -> LoopTime { sums.read { now } }

        func enterPoll(at now: UInt64) { meter.enterPoll(at: now, isFlushing: false, mayRepeat: false, work: { _ in nil }, sums) }

        func leavePoll(at now: UInt64) -> UInt64 { meter.leavePoll(at: now, work: { _ in nil }, sums) }
    }

    @Test func parts_sumUpToElapsed() {
        let fixture = Fixture()
        fixture.enterPoll(at: 1010)  // 10 overhead
        fixture.meter.beginCallback(at: 1110, fixture.sums)  // 100 poll
        #expect(fixture.meter.endCallback(startedAt: 1110, at: 1140, isMonitorNext: true, fixture.sums) == 30)
        fixture.meter.stamp(at: 1145, fixture.sums)  // 5 monitor
        fixture.meter.beginCallback(at: 1147, fixture.sums)  // 2 overhead
        #expect(fixture.meter.endCallback(startedAt: 1147, at: 1200, isMonitorNext: true, fixture.sums) == 53)
        fixture.meter.stamp(at: 1210, fixture.sums)  // 10 monitor
        fixture.meter.pause(at: 1220, fixture.sums)  // 10 overhead
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
        fixture.meter.beginCallback(at: 1000, fixture.sums)
        #expect(fixture.meter.endCallback(startedAt: 1000, at: 1040, isMonitorNext: false, fixture.sums) == 40)
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
        fixture.meter.beginCallback(at: 1100, fixture.sums)
        let stuck = fixture.time(at: 5100)
        #expect(stuck.poll == .nanoseconds(90))
        #expect(stuck.callbacks == .nanoseconds(4000))
        #expect(stuck.elapsed == .nanoseconds(4100))
    }

    @Test func timeBetweenRuns_belongsToNoPart() {
        let fixture = Fixture()
        fixture.meter.pause(at: 1010, fixture.sums)
        fixture.meter.resume(at: 1_000_000, fixture.sums)
        fixture.meter.pause(at: 1_000_005, fixture.sums)
        #expect(fixture.time(at: 2_000_000).elapsed == .nanoseconds(15))
    }

    @Test func timeWithoutMonitoring_belongsToNoPart() {
        let fixture = Fixture()
        fixture.meter.beginCallback(at: 1010, fixture.sums)
        fixture.meter.endMonitoring(at: 1015, fixture.sums)
        fixture.meter.beginMonitoring(at: 5000, fixture.sums)
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
        fixture.meter.stamp(at: 1050, fixture.sums)
        let between = fixture.time(at: 1050) - earlier
        #expect(between.poll == .nanoseconds(40))
        #expect(between.overhead == .zero)
    }

    @Test func utilization_isZero_beforeAnythingRan() { #expect(LoopTimeSums().read { 1 }.utilization == 0) }
}
