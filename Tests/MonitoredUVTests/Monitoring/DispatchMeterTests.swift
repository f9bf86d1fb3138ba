import Testing

@testable import MonitoredUV

/// One iteration with made-up stamps: every nanosecond ends up in one part.
struct DispatchMeterTests {
    @Test func parts_sumUpToElapsed() {
        let sums = LoopTimeSums()
        var meter = DispatchMeter(at: 0)
        meter.enterPoll(at: 10, sums)  // 10 overhead
        meter.leaveLoopCode(at: 110, sums)  // 100 poll
        #expect(meter.endCallback(startedAt: 110, at: 140, sums) == 30)
        meter.endMonitor(at: 145, sums)  // 5 monitor
        meter.leaveLoopCode(at: 147, sums)  // 2 overhead
        #expect(meter.endCallback(startedAt: 147, at: 200, sums) == 53)
        meter.endMonitor(at: 210, sums)  // 10 monitor
        meter.enterPoll(at: 220, sums)  // 10 overhead
        let time = sums.read()
        #expect(time.poll == .nanoseconds(100))
        #expect(time.callbacks == .nanoseconds(83))
        #expect(time.monitor == .nanoseconds(15))
        #expect(time.overhead == .nanoseconds(22))
        #expect(time.elapsed == .nanoseconds(220))
        #expect(time.utilization == 1 - 100.0 / 220)
    }

    @Test func timeBetweenRuns_belongsToNoPart() {
        let sums = LoopTimeSums()
        var meter = DispatchMeter(at: 0)
        meter.leaveLoopCode(at: 10, sums)
        meter.resume(at: 1_000_000)
        meter.leaveLoopCode(at: 1_000_005, sums)
        #expect(sums.read().elapsed == .nanoseconds(15))
    }

    @Test func since_isTheDifference() {
        let sums = LoopTimeSums()
        var meter = DispatchMeter(at: 0)
        meter.enterPoll(at: 10, sums)
        let earlier = sums.read()
        meter.leaveLoopCode(at: 50, sums)
        #expect(sums.read().since(earlier).poll == .nanoseconds(40))
        #expect(sums.read().since(earlier).overhead == .zero)
    }

    @Test func utilization_isZero_beforeAnythingRan() { #expect(LoopTimeSums().read().utilization == 0) }
}
