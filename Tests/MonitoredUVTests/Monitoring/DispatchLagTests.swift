import Testing

@testable import MonitoredUV

/// The definitions of the lag, with made-up times in nanoseconds.
struct DispatchLagTests {
    @Test func exact_isStartMinusReady() {
        #expect(DispatchLag.exact(ready: 100, start: 350) == DispatchLag(lower: 250, upper: 250, precision: .exact))
    }

    @Test func exact_isZero_whenReadyLiesAhead() {
        #expect(DispatchLag.exact(ready: 351, start: 350) == DispatchLag(lower: 0, upper: 0, precision: .exact))
    }

    @Test func io_isOnlyTheTimeSinceThePoll_whenThePollSlept() {
        var polls = PollTimes(at: 1000)  // P0
        polls.enter(at: 5_001_000)  // busy for 5 ms before
        polls.leave(at: 6_001_001, waited: 1_000_001)  // asleep for more than 1 ms
        #expect(polls.lag(start: 6_001_301) == DispatchLag(lower: 300, upper: 300, precision: .range))
    }

    @Test func io_addsBusyTimeAndWait_whenThePollDidNotSleep() {
        var polls = PollTimes(at: 1000)
        polls.enter(at: 5_001_000)
        polls.leave(at: 5_041_000, waited: 40_000)
        // L = 300, B = 5 ms, W = 40 us
        #expect(polls.lag(start: 5_041_300) == DispatchLag(lower: 300, upper: 5_040_300, precision: .range))
    }

    @Test func io_addsNoMoreThanTheTolerance_whenThePollWaitedAWhile() {
        var polls = PollTimes(at: 1000)
        polls.enter(at: 2000)
        polls.leave(at: 1_002_000, waited: 1_000_000)  // exactly the limit: not asleep
        #expect(polls.lag(start: 1_002_000) == DispatchLag(lower: 0, upper: 101_000, precision: .range))
    }

    @Test func events_wereProbablyReadyBeforeThePoll_ifTheLoopWasBusyForLongerThanItWaited() {
        var polls = PollTimes(at: 1000)
        polls.enter(at: 201_000)
        polls.leave(at: 231_000, waited: 30_000)
        #expect(polls.probablyReady == 1000)
        polls.enter(at: 251_000)
        polls.leave(at: 281_000, waited: 30_000)
        #expect(polls.probablyReady == 281_000)
    }
}
