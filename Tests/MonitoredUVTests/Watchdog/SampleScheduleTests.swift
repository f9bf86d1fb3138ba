import Testing

@testable import MonitoredUV

/// When a loop is looked at for samples of what it does, by a simulated clock.
struct SampleScheduleTests {
    private let millisecond: UInt64 = 1_000_000

    /// Looks at a loop for `milliseconds`, each time when the look before said, and counts looks and samples. `running`
    /// returns the start of the dispatch that runs at an instant, and the number of those that have ended.
    private func simulate(
        _ milliseconds: UInt64,
        _ running: (UInt64) -> (start: UInt64?, ended: UInt64)
    ) -> (looks: Int, samples: [UInt64], isAsleep: Bool) {
        var (schedule, now, looks, samples) = (SampleSchedule(), UInt64(1_000_000_000), 0, [UInt64]())
        let begin = now
        while now < begin + milliseconds * millisecond {
            let (start, ended) = running(now - begin)
            let look = schedule.look(at: start.map { begin + $0 }, ended, now: now)
            looks += 1
            if look.span != nil {
                samples.append(now - begin)
                schedule.skip(until: now)
            }
            if look.next == .max { return (looks, samples, true) }
            now = look.next
        }
        return (looks, samples, false)
    }

    @Test func stall_isSampledFromItsBeginning_andEverLessOften() {
        let result = simulate(1000) { _ in (0, 0) }
        #expect((30...60).contains(result.samples.count))
        #expect(result.samples[0] <= 4 * millisecond)
        let pauses = zip(result.samples, result.samples.dropFirst()).map { $1 - $0 }
        #expect(zip(pauses, pauses.dropFirst()).allSatisfy { $0 <= $1 })
    }

    /// Dispatches of 0.2 ms, again and again: a look now and then must do.
    @Test(arguments: [1, 20, 100, 400]) func shortDispatches_areLookedAtRarely(_ period: UInt64) {
        let result = simulate(10_000) { now in
            let since = now % (period * millisecond)
            return (since < 200_000 ? now - since : nil, now / (period * millisecond) + (since < 200_000 ? 0 : 1))
        }
        #expect(!result.isAsleep)
        #expect(result.samples.isEmpty)
        #expect(result.looks < 10 * 35, "\(result.looks)")
    }

    /// Dispatches that are long are sampled, nearly all of those that follow each other, and all that are very long.
    @Test(arguments: [(10, 20), (70, 500)]) func longDispatches_areSampled(_ length: UInt64, period: UInt64) {
        let result = simulate(10_000) { now in
            let since = now % (period * millisecond)
            return (since < length * millisecond ? now - since : nil, now / (period * millisecond))
        }
        let sampled = Set(result.samples.map { $0 / (period * millisecond) })
        #expect(sampled.count >= Int(10_000 / period) * 9 / 10, "\(sampled.count)")
    }

    @Test func idleLoop_isNotLookedAt() {
        let result = simulate(10_000) { _ in (nil, 7) }
        #expect(result.isAsleep && result.looks < 30)
    }
}
