import Testing

@testable import MonitoredUV

struct IterationSummaryTests {
    private let names = (0..<3).map { CallbackName("summary \($0)") }

    private func record(_ start: UInt64, _ wall: UInt64, _ name: Int) -> FlightRecord {
        FlightRecord(
            start: start,
            wallTime: wall,
            lag: 0,
            lagPrecision: .exact,
            kind: name == 1 ? .timer : .posted,
            name: names[name],
            waiters: 0
        )
    }

    @Test func heaviest_isTheNameWithMostTimeInAll() {
        let records = [record(90, 500, 2), record(1000, 30, 0), record(1100, 20, 1), record(1200, 20, 1)]
        let summary = IterationSummary(from: 1000, to: 1300, records, dispatches: 3, limit: 400)
        #expect(summary.dispatches == 3)
        #expect(summary.isComplete)
        #expect(summary.ownTime(besides: 400) == 300)
        #expect(summary.heaviest(besides: 400) == .init(name: names[1], kind: .timer, time: 40))
    }

    @Test func whatIsRunning_countsUpToTheEnd() {
        let running = InFlight.Dispatch(start: 1100, name: names[2], kind: .posted)
        let records = [record(1000, 30, 0)]
        let summary = IterationSummary(from: 1000, to: 1200, records, running: running, dispatches: 2, limit: 400)
        #expect(summary.heaviest(besides: 400)?.name == names[2])
        // One that began behind the look, or has been recorded meanwhile, does not count.
        let later = InFlight.Dispatch(start: 1300, name: names[2], kind: .posted)
        let ended = InFlight.Dispatch(start: 1000, name: names[0], kind: .posted)
        for running in [later, ended] {
            let summary = IterationSummary(from: 1000, to: 1200, records, running: running, dispatches: 2, limit: 400)
            #expect(summary.heaviest(besides: 400) == .init(name: names[0], kind: .posted, time: 30))
        }
    }

    /// They are stalls of their own, whatever comes before and behind them.
    @Test func dispatchesPastTheLimit_areLeftOut() {
        let records = [record(1000, 300, 0), record(1300, 400, 1), record(1700, 10, 2)]
        let summary = IterationSummary(from: 1000, to: 1800, records, dispatches: 3, limit: 100)
        #expect(summary.ownTime(besides: 400) == 400)
        #expect(summary.heaviest(besides: 400)?.name == names[0])
        #expect(summary.ownTime(besides: 100) == 100)
        #expect(summary.heaviest(besides: 100)?.name == names[2])
        #expect(IterationSummary(from: 1000, to: 900, [], dispatches: 0, limit: 400).ownTime(besides: 400) == 0)
        #expect(IterationSummary(from: 1000, to: 1900, [], dispatches: 0, limit: 400).heaviest(besides: 400) == nil)
    }

    @Test func whatTheRecorderHasLost_isCounted() {
        let summary = IterationSummary(from: 1000, to: 1300, [record(1200, 20, 1)], dispatches: 70_000, limit: 400)
        #expect(summary.dispatches == 70_000)
        #expect(!summary.isComplete)
    }

    @Test func ring_isReadFromAnInstantOn() {
        let ring = FlightRing(capacity: 4)
        for number in 0..<6 { ring.append(.posted, names[0], UInt64(1000 + number * 100), 10, .notApplicable) }
        #expect(ring.read(since: 1400).map(\.start) == [1400, 1500])
        #expect(ring.read(since: 0).map(\.start) == ring.read().map(\.start))
        #expect(ring.read(since: 9000).isEmpty)
    }
}
