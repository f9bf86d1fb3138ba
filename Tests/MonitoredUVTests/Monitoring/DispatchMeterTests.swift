import Testing

@testable import MonitoredUV

/// One iteration with made-up stamps: every nanosecond ends up in one part.
struct DispatchMeterTests {
    @Test func parts_sumUpToElapsed() {
        var meter = DispatchMeter(at: 0)
        meter.enterPoll(at: 10)  // 10 overhead
        meter.leaveLoopCode(at: 110)  // 100 poll
        #expect(meter.endCallback(startedAt: 110, at: 140) == 30)
        meter.endMonitor(at: 145)  // 5 monitor
        meter.leaveLoopCode(at: 147)  // 2 overhead
        #expect(meter.endCallback(startedAt: 147, at: 200) == 53)
        meter.endMonitor(at: 210)  // 10 monitor
        meter.enterPoll(at: 220)  // 10 overhead
        let time = meter.sums.read()
        #expect(time.poll == .nanoseconds(100))
        #expect(time.callbacks == .nanoseconds(83))
        #expect(time.monitor == .nanoseconds(15))
        #expect(time.overhead == .nanoseconds(22))
        #expect(time.elapsed == .nanoseconds(220))
        #expect(time.utilization == 1 - 100.0 / 220)
    }

    @Test func timeBetweenRuns_belongsToNoPart() {
        var meter = DispatchMeter(at: 0)
        meter.leaveLoopCode(at: 10)
        meter.resume(at: 1_000_000)
        meter.leaveLoopCode(at: 1_000_005)
        #expect(meter.sums.read().elapsed == .nanoseconds(15))
    }

    @Test func since_isTheDifference() {
        var meter = DispatchMeter(at: 0)
        meter.enterPoll(at: 10)
        let earlier = meter.sums.read()
        meter.leaveLoopCode(at: 50)
        #expect(meter.sums.read().since(earlier).poll == .nanoseconds(40))
        #expect(meter.sums.read().since(earlier).overhead == .zero)
    }

    @Test func utilization_isZero_beforeAnythingRan() { #expect(DispatchMeter(at: 5).sums.read().utilization == 0) }
}
