import Testing

@testable import MonitoredUV

struct BlameLedgerTests {
    /// A loop's metrics, fed with made-up dispatches.
    private struct Fixture {
        let metrics: LoopMetrics
        private(set) var dispatches: [(name: CallbackName, ready: UInt64, start: UInt64, end: UInt64)] = []

        init() { metrics = LoopMetrics(MonitoringOptions(), at: 0) }

        func endIteration() { _ = metrics.endIteration(from: 0, at: 1) }

        mutating func add(_ name: CallbackName, ready: UInt64, start: UInt64, end: UInt64) {
            let lag = DispatchLag.exact(ready: ready, start: start, .local)
            metrics.record(.posted, name, start: start, wall: end - start, lag: lag, 0)
            dispatches.append((name, ready, start, end))
        }

        /// How long each name kept others waiting, one pair at a time.
        func expected(window: Int) -> [String: UInt64] {
            var blame: [String: UInt64] = [:]
            for (waiter, dispatch) in dispatches.enumerated() {
                for other in dispatches[max(0, waiter - window)..<waiter] where other.end > dispatch.ready {
                    blame[other.name.text, default: 0] += other.end - max(other.start, dispatch.ready)
                }
            }
            return blame
        }

        func blame() -> [String: UInt64] {
            endIteration()
            let pairs = metrics.readNames().map { ($0.callbackName, $0.blameNanoseconds) }
            return Dictionary(uniqueKeysWithValues: pairs).filter { $0.value > 0 }
        }
    }

    private let slow = CallbackName("BlameLedgerTests slow")
    private let quick = CallbackName("BlameLedgerTests quick")

    @Test func blocker_isToBlameForEachThatWaited() {
        var fixture = Fixture()
        fixture.add(slow, ready: 1000, start: 1000, end: 201_000)
        var now: UInt64 = 201_000
        for _ in 0..<39 {
            fixture.add(quick, ready: 1000, start: now, end: now + 10)
            now += 10
        }
        let blame = fixture.blame()
        #expect((blame[slow.text] ?? 0) == UInt64(39 * 200_000))
        #expect(blame[quick.text] == (0..<39).reduce(0) { $0 + UInt64($1) * 10 })
        #expect(blame == fixture.expected(window: 512))
        let waiters = fixture.metrics.ring.read().map(\.waiters)
        #expect(waiters == [39] + (0..<39).map { UInt32(38 - $0) })
    }

    @Test func whoBecameReadyMeanwhile_waitedForTheRest() {
        var fixture = Fixture()
        fixture.add(slow, ready: 1000, start: 1000, end: 2000)
        fixture.add(quick, ready: 1900, start: 2000, end: 2001)
        #expect(fixture.blame() == [slow.text: 100])
    }

    @Test func nobodyWaited_nobodyIsToBlame() {
        var fixture = Fixture()
        for start in stride(from: UInt64(1000), to: 100_000, by: 100) {
            fixture.add(quick, ready: start, start: start, end: start + 50)
        }
        #expect(fixture.blame() == [:])
    }

    /// Random loads against every pair, one by one; iterations end at random.
    @Test func blame_isThatOfEveryPair() {
        var random = SystemRandomNumberGenerator()
        let names = (0..<5).map { CallbackName("BlameLedgerTests \($0)") }
        for _ in 0..<50 {
            var fixture = Fixture()
            var now: UInt64 = 1_000_000
            for _ in 0..<400 {
                let lag = Bool.random() ? 0 : UInt64.random(in: 0...3000, using: &random)
                let start = now + (Bool.random() ? 0 : UInt64.random(in: 0...200, using: &random))
                now = start + UInt64.random(in: 0...300, using: &random)
                fixture.add(names.randomElement()!, ready: start - lag, start: start, end: now)
                if Int.random(in: 0..<20) == 0 { fixture.endIteration() }
            }
            #expect(fixture.blame() == fixture.expected(window: 400))
        }
    }

    @Test func longQueue_isLookedBackAtForAWhile() {
        var fixture = Fixture()
        fixture.add(slow, ready: 1000, start: 1000, end: 101_000)
        var now: UInt64 = 101_000
        for _ in 0..<20_000 {
            fixture.add(quick, ready: 1000, start: now, end: now + 10)
            now += 10
        }
        let blame = fixture.blame()
        let waited = (blame[slow.text] ?? 0) / 100_000
        #expect((512...1024).contains(waited))
        // Each but the first few has at least 512 others after it that waited for it, and at most 1,024.
        let quickBlame = blame[quick.text] ?? 0
        #expect(quickBlame > 19_000 * 512 * 10 && quickBlame < 20_000 * 1024 * 10)
    }
}
