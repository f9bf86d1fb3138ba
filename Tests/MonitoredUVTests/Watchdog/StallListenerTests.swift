import Foundation
import Testing

@testable import MonitoredUV

/// Objects that a watchdog's closure holds may call the loop's monitoring when they are freed.
struct StallListenersTests {
    @Test func closureThatIsFreed_mayCancelAnother() async {
        await #expect(processExitsWith: .success) {
            final class Canceling: Sendable {
                let other: MonitoringSubscription
                init(_ other: MonitoringSubscription) { self.other = other }
                deinit { other.cancel() }
            }
            signal(SIGALRM, SIG_DFL)
            alarm(60)  // rather than wait for ever
            let loop = try UVEventLoop()
            let other = loop.monitoring.startWatchdog(limit: .seconds(100)) { _ in }
            let canceling = Canceling(other)
            loop.monitoring.startWatchdog(limit: .seconds(100)) { [canceling] _ in _ = canceling }
            loop.callSoon {}
            try loop.run()
            try loop.close()
            for _ in 0..<2 { WatchdogThread.shared.look() }
        }
    }
}

/// Iterations as a watchdog sees them, with made-up times; its limit is 100 us.
struct StallListenerTests {
    private static let limit: UInt64 = 100_000
    private static let small = CallbackName("small")
    private static let long = CallbackName("long")

    private final class Fixture {
        let listener: StallListener
        var records: [FlightRecord] = []

        init(reports: ReportLimit? = nil) {
            listener = StallListener(limit: StallListenerTests.limit, isWatching: true, reports: reports) { _ in }
        }

        func record(_ start: UInt64, _ wall: UInt64, _ name: CallbackName) {
            records.append(
                FlightRecord(
                    start: start,
                    wallTime: wall,
                    lag: 0,
                    lagPrecision: .exact,
                    kind: .posted,
                    name: name,
                    waiters: 0
                )
            )
        }

        func summary(to end: UInt64, _ running: InFlight.Dispatch? = nil) -> IterationSummary {
            let limit = StallListenerTests.limit
            let count = records.count
            return IterationSummary(from: 1000, to: end, records, running: running, dispatches: count, limit: limit)
        }

        func look(at now: UInt64, _ running: InFlight.Dispatch? = nil) -> (StallReport.Phase, StallTracker.Sighting)? {
            listener.observeIteration(
                since: 1000,
                running: running,
                at: now,
                isStarved: false,
                usage: { nil },
                summary: { _ in summary(to: now, running) }
            )
        }
    }

    private func dispatch(_ start: UInt64, _ name: CallbackName) -> InFlight.Dispatch {
        InFlight.Dispatch(start: start, name: name, kind: .posted)
    }

    /// The clock is read before what is running.
    @Test func aDispatchThatBeginsBehindTheReadingOfTheClock_isNoTrouble() {
        let fixture = Fixture()
        for number in 0..<60 { fixture.record(1000 + UInt64(number) * 2000, 2000, Self.small) }
        for now in stride(from: UInt64(40_000), to: 200_000, by: 3000) {
            _ = fixture.look(at: now, dispatch(now + 500, Self.small))
            #expect(fixture.listener.nextLook(after: now) > now)
        }
    }

    /// Looking again and again would keep a processor busy.
    @Test func anIterationThatIsMostlyOneDispatch_isNotLookedAtWithoutAPause() {
        let fixture = Fixture()
        for number in 0..<15 { fixture.record(1000 + UInt64(number) * 2000, 2000, Self.small) }
        for now in [UInt64(55_000), 120_000, 400_000, 1_000_000, 5_000_000] {
            let finding = fixture.look(at: now, dispatch(31_000, Self.long))
            #expect(finding == nil)
            #expect(fixture.listener.nextLook(after: now) > now)
        }
    }

    @Test func aReportedIteration_ends_alsoBehindALongDispatch() throws {
        let fixture = Fixture()
        for number in 0..<60 { fixture.record(1000 + UInt64(number) * 2000, 2000, Self.small) }
        _ = fixture.look(at: 60_000)
        let began = try #require(fixture.look(at: 140_000))
        #expect(began.0 == .began)
        #expect(began.1.dispatches == 60)
        fixture.record(141_000, 500_000, Self.long)
        fixture.record(641_000, 10, Self.small)
        let ended = try #require(fixture.listener.ended(fixture.summary(to: 650_000), at: 660_000, usage: { nil }))
        #expect(ended.id == began.1.id)
        #expect(ended.duration == 649_000)
        #expect(ended.dispatch.name == Self.small)
        #expect(ended.dispatches == 62)
    }

    @Test func anIterationThatOnlyALongDispatchMadeLong_isNoStall() {
        let fixture = Fixture()
        fixture.record(1000, 10_000, Self.small)
        fixture.record(11_000, 500_000, Self.long)
        #expect(fixture.listener.ended(fixture.summary(to: 520_000), at: 530_000, usage: { nil }) == nil)
    }

    /// Of what the flight recorder has lost, the last report tells the name.
    @Test func anIterationWhoseBeginningIsLost_keepsItsName() throws {
        let fixture = Fixture()
        for number in 0..<60 { fixture.record(1000 + UInt64(number) * 2000, 2000, Self.long) }
        _ = fixture.look(at: 60_000)
        _ = try #require(fixture.look(at: 140_000))
        let summary = IterationSummary(from: 1000, to: 300_000, [], dispatches: 90_000, limit: Self.limit)
        let ended = try #require(fixture.listener.ended(summary, at: 310_000, usage: { nil }))
        #expect(ended.dispatch.name == Self.long)
        #expect(ended.dispatches == 90_000)
    }

    /// A dispatch within a reported iteration does not make that one count again.
    @Test func dispatchAndIteration_areAdmittedEachOnce() {
        let listener = Fixture(reports: ReportLimit(2, per: 60_000_000_000)).listener
        let iteration = StallTracker.Sighting(
            dispatch: dispatch(1000, Self.small),
            duration: 1,
            cause: nil,
            dispatches: 3
        )
        let long = StallTracker.Sighting(dispatch: dispatch(1500, Self.long), duration: 1, cause: nil)
        for stall in [iteration, long, long, iteration, iteration] {
            #expect(listener.admit(stall, at: 5000) == .admitted(suppressed: 0))
        }
        let next = StallTracker.Sighting(dispatch: dispatch(9000, Self.long), duration: 1, cause: nil)
        #expect(listener.admit(next, at: 9000) == .refused)
        #expect(listener.admit(iteration, at: 9000) == .admitted(suppressed: 0))
    }
}
