import Testing

@testable import MonitoredUV

/// The definitions of the lag, with made-up times in nanoseconds.
struct DispatchLagTests {
    private let handles = UnsafeRawPointer(bitPattern: 4096)!

    private func work(_ waits: Int, _ time: UInt64 = 0) -> ThreadWork { ThreadWork(waits: waits, processorTime: time) }

    /// Of the first handle whose callback starts since the poll.
    private func lag(_ polls: inout PollTimes, start: UInt64) -> DispatchLag {
        polls.lag(of: handles, start: start, previous: start)
    }

    @Test func exact_isStartMinusReady() {
        #expect(
            DispatchLag.exact(ready: 100, start: 350, .io) == DispatchLag(lower: 250, upper: 250, precision: .exact)
        )
    }

    @Test func exact_isZero_whenReadyLiesAhead() {
        #expect(DispatchLag.exact(ready: 351, start: 350, .io) == DispatchLag(lower: 0, upper: 0, precision: .exact))
    }

    @Test func io_isOnlyTheTimeSinceThePoll_whenThePollSlept() {
        var polls = PollTimes(at: 1000)  // P0
        polls.enter(at: 5_001_000) { _ in work(7) }  // busy for 5 ms before
        polls.leave(at: 6_001_001, waited: 1_000_001) { _ in work(8) }  // asleep for more than 1 ms
        #expect(lag(&polls, start: 6_001_301) == DispatchLag(lower: 300, upper: 300, precision: .range))
    }

    @Test func io_addsBusyTimeAndWait_whenThePollDidNotSleep() {
        var polls = PollTimes(at: 1000)
        polls.enter(at: 5_001_000) { _ in work(7) }
        polls.leave(at: 5_041_000, waited: 40_000) { _ in work(8) }
        // L = 300, B = 5 ms, W = 40 us
        #expect(lag(&polls, start: 5_041_300) == DispatchLag(lower: 300, upper: 5_040_300, precision: .range))
    }

    @Test func io_addsNoMoreThanTheTolerance_whenThePollWaitedAWhile() {
        var polls = PollTimes(at: 1000)
        polls.enter(at: 2000) { _ in work(7) }
        polls.leave(at: 1_002_000, waited: 1_000_000) { _ in work(8) }  // exactly the limit: not asleep
        #expect(lag(&polls, start: 1_002_000) == DispatchLag(lower: 0, upper: 101_000, precision: .range))
    }

    @Test func events_wereProbablyReadyBeforeThePoll_ifTheLoopWasBusyForLongerThanItWaited() {
        var polls = PollTimes(at: 1000)
        polls.enter(at: 201_000) { _ in work(7) }
        polls.leave(at: 231_000, waited: 30_000) { _ in work(8) }
        #expect(polls.probablyReady == 1000)
        polls.enter(at: 251_000) { _ in work(7) }
        polls.leave(at: 281_000, waited: 30_000) { _ in work(8) }
        #expect(polls.probablyReady == 281_000)
    }

    /// A poll that registers many descriptors, or writes what is queued, takes its time as well.
    @Test func io_addsBusyTimeAndAllOfTheWait_whenTheThreadKeptItsProcessor() {
        var polls = PollTimes(at: 1000)
        polls.enter(at: 150_001_000) { _ in work(7) }
        polls.leave(at: 155_001_000, waited: 5_000_000) { _ in work(7) }
        #expect(lag(&polls, start: 155_001_300) == DispatchLag(lower: 300, upper: 155_000_300, precision: .range))
        #expect(polls.probablyReady == 1000)
    }

    /// With writes queued the poll works behind its sleep: what is called back first was ready before that work.
    @Test func io_addsTheTimeOfTheWork_whenThePollSleptAndThenWrote() {
        var polls = PollTimes(at: 1000)
        polls.enter(at: 2000, mayWrite: true) { _ in work(7, 100) }
        polls.leave(at: 50_002_000, waited: 50_000_000) { _ in work(8, 6_000_100) }
        #expect(lag(&polls, start: 50_002_300) == DispatchLag(lower: 300, upper: 6_000_300, precision: .range))
        // And what comes with the next poll may have come during that work.
        polls.enter(at: 50_010_000) { _ in work(8) }
        polls.leave(at: 50_020_000, waited: 10_000) { _ in work(8) }
        #expect(lag(&polls, start: 50_020_000).upper == 6_000_000 + 8_000 + 10_000)
    }

    @Test func io_addsAllOfAShortWait_whenThePollWrote() {
        var polls = PollTimes(at: 1000)
        polls.enter(at: 2000, mayWrite: true) { _ in work(7) }
        polls.leave(at: 902_000, waited: 900_000) { _ in work(7) }
        #expect(lag(&polls, start: 902_000).upper == 901_000)
    }

    @Test func io_takesALongPollForSleep_whereTheSystemDoesNotTell() {
        for (before, after) in [(nil, nil), (7, nil), (nil, 7)] as [(Int?, Int?)] {
            var polls = PollTimes(at: 1000)
            polls.enter(at: 150_001_000) { _ in before.map { work($0) } }
            polls.leave(at: 155_001_000, waited: 5_000_000) { _ in after.map { work($0) } }
            #expect(lag(&polls, start: 155_001_300).upper == 300)
        }
    }

    /// Two system calls a poll are dear; only what a busy loop may have kept waiting is worth them.
    @Test func switches_areCountedOnlyAroundALongPollBehindALongIteration() {
        for (busy, waited, expected) in [(2_000_000, 2_000_000, 2), (2_000_000, 9, 1), (9, 2_000_000, 0), (9, 9, 0)] {
            var count = 0
            var polls = PollTimes(at: 1000)
            let entry = UInt64(1000 + busy)
            polls.enter(at: entry) { _ -> ThreadWork? in
                count += 1
                return work(7)
            }
            polls.leave(at: entry + UInt64(waited), waited: UInt64(waited)) { _ -> ThreadWork? in
                count += 1
                return work(7)
            }
            #expect(count == expected)
        }
    }

    @Test func lowerBoundOfALaterCallback_countsFromTheOneBefore() {
        var polls = PollTimes(at: 1000)
        polls.enter(at: 2000) { _ in work(7) }
        polls.leave(at: 3000, waited: 1000) { _ in work(7) }
        #expect(polls.lag(of: handles, start: 3100, previous: 2000).lower == 100)
        // Of the same handle: what it is for came after the first one ended, at the earliest.
        #expect(polls.lag(of: handles, start: 9000, previous: 8950).lower == 50)
        // Another one's was found by the poll.
        #expect(polls.lag(of: handles + 1, start: 9500, previous: 9400).lower == 6500)
        polls.enter(at: 10_000) { _ in work(7) }
        polls.leave(at: 11_000, waited: 1000) { _ in work(7) }
        #expect(polls.lag(of: handles + 1, start: 11_200, previous: 10_000).lower == 200)
    }

    /// With enough descriptors libuv polls again before it comes back.
    @Test func lowerBound_countsFromTheCallbackBefore_whereThePollMayRepeat() {
        var polls = PollTimes(at: 1000)
        polls.enter(at: 2000, mayRepeat: true) { _ in work(7) }
        polls.leave(at: 3000, waited: 1000) { _ in work(7) }
        #expect(polls.lag(of: handles, start: 3100, previous: 2000).lower == 100)
        #expect(polls.lag(of: handles + 1, start: 9000, previous: 8950).lower == 50)
    }
}
