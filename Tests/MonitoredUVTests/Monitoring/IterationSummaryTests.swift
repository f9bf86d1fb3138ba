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
        let summary = IterationSummary(from: 1000, records, limit: 400)
        #expect(summary.start == 1000)
        #expect(summary.dispatches == 3)
        #expect(summary.heaviest == .init(name: names[1], kind: .timer))
    }

    @Test func whatIsRunning_countsUpToNow() {
        let running = InFlight.Dispatch(start: 1100, name: names[2], kind: .posted)
        let summary = IterationSummary(from: 1000, [record(1000, 30, 0)], running: running, limit: 400, now: 1200)
        #expect(summary.dispatches == 2)
        #expect(summary.heaviest?.name == names[2])
    }

    @Test func dispatchPastTheLimit_isLeftOut_withWhatCameBefore() {
        let records = [record(1000, 300, 0), record(1300, 400, 1), record(1700, 10, 2)]
        let summary = IterationSummary(from: 1000, records, limit: 400)
        #expect(summary.start == 1700)
        #expect(summary.dispatches == 1)
        #expect(summary.heaviest?.name == names[2])
        #expect(IterationSummary(from: 1000, [], limit: 400).heaviest == nil)
    }

    @Test func ring_isReadFromAnInstantOn() {
        let ring = FlightRing(capacity: 4)
        for number in 0..<6 { ring.append(.posted, names[0], UInt64(1000 + number * 100), 10, .none) }
        #expect(ring.read(since: 1400).map(\.start) == [1400, 1500])
        #expect(ring.read(since: 0).map(\.start) == ring.read().map(\.start))
        #expect(ring.read(since: 9000).isEmpty)
    }
}
