import Testing

@testable import MonitoredUV

/// The wheel beside a model of it: a list that is searched.
struct TimerWheelTests {
    private static let tick: UInt64 = 15_625

    private struct Model {
        struct Wait {
            var due: UInt64
            let payload: Int
            let token: TimerToken
        }
        var waits: [Wait] = []

        /// The waits that come out at `now`, by due times, equal ones in the order of their starts.
        mutating func takeDue(_ now: UInt64) -> [Int] {
            let last = now / tick * tick
            let due = waits.enumerated().filter { ringTime($1.due) <= last }
            let order = due.sorted { ($0.element.due, $0.offset) < ($1.element.due, $1.offset) }
            waits = waits.filter { ringTime($0.due) > last }
            return order.map(\.element.payload)
        }

        /// The end of the wait, to the tick.
        func ringTime(_ due: UInt64) -> UInt64 { (due + tick - 1) / tick * tick }
    }

    /// Starts, stops, and moves waits of all lengths, at random, and lets time pass in steps of all lengths.
    @Test(arguments: [1, 2, 3, 4, 5, 6, 7, 8])
    func wheel_doesWhatAListWould(_ seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        var now = UInt64.random(in: 0...(1 << 40), using: &random)
        let wheel = Wheel(now: now)
        var model = Model()
        var next = 0
        for _ in 0..<20_000 {
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<4:
                // Every due time is new, for a wait that was put off keeps no place among equal ones.
                let due = now + 1 + (random.next() >> UInt64.random(in: 20...62, using: &random))
                if model.waits.contains(where: { $0.due == due }) { continue }
                let token = wheel.start(due: due, next)
                model.waits.append(Model.Wait(due: due, payload: next, token: token))
                next += 1
            case 4:
                guard let index = model.waits.indices.randomElement(using: &random) else { continue }
                let wait = model.waits.remove(at: index)
                #expect(wheel.stop(wait.token) == wait.payload)
                #expect(wheel.stop(wait.token) == nil)
                #expect(!wheel.move(wait.token, due: now))
            case 5..<7:
                guard let index = model.waits.indices.randomElement(using: &random) else { continue }
                let due = now + 1 + (random.next() >> UInt64.random(in: 20...62, using: &random))
                if model.waits.contains(where: { $0.due == due }) { continue }
                #expect(wheel.move(model.waits[index].token, due: due))
                #expect(wheel.due(model.waits[index].token) == due)
                model.waits[index].due = due
            default:
                // Often to the time at which the wheel wants to be asked, which must not be late.
                let wake = wheel.wakeTime()
                let earliest = model.waits.map(\.due).min()
                #expect((wake == nil) == (earliest == nil))
                if let wake, let earliest { #expect(wake <= model.ringTime(earliest)) }
                now = Bool.random(using: &random) ? max(now, wake ?? now) : now + (random.next() >> 40)
                wheel.advance(to: now)
                var taken: [Int] = []
                while let (payload, due) = wheel.next() {
                    #expect(due <= now)
                    taken.append(payload)
                }
                #expect(taken == model.takeDue(now))
            }
            #expect(wheel.count == model.waits.count)
        }
        let last = (model.waits.map(\.due).max() ?? now) + Self.tick
        wheel.advance(to: last)
        var taken: [Int] = []
        while let (payload, _) = wheel.next() { taken.append(payload) }
        #expect(taken == model.takeDue(last))
        #expect(wheel.count == 0)
        #expect(wheel.wakeTime() == nil)
    }

    @Test func equalDueTimes_keepTheOrderOfTheirStarts() {
        let wheel = Wheel(now: 0)
        // Some while the bucket is still a coarse one, some when it has been distributed.
        let due: UInt64 = 900_000_000
        for number in 0..<100 { _ = wheel.start(due: due, number) }
        wheel.advance(to: 890_000_000)
        for number in 100..<200 { _ = wheel.start(due: due, number) }
        wheel.advance(to: 899_999_000)
        for number in 200..<300 { _ = wheel.start(due: due, number) }
        wheel.advance(to: due)
        var order: [Int] = []
        while let (payload, _) = wheel.next() { order.append(payload) }
        #expect(order == Array(0..<300))
    }

    @Test func atOnce_comesOut_whateverTheTimeIs() {
        let wheel = Wheel(now: 1000)
        let token = wheel.start(due: 1000, atOnce: true, 1)
        #expect(wheel.wakeTime() == 0)
        #expect(wheel.move(token, due: 50_000_000))
        #expect(wheel.next() == nil)
        _ = wheel.start(due: 1000, atOnce: true, 2)
        #expect(wheel.next()?.payload == 2)
        wheel.advance(to: 50_000_000)
        #expect(wheel.next()?.payload == 1)
    }

    /// Of one wait far away, the wheel is asked seldom before it is due.
    @Test func aLoneWait_costsFewWakeUps() {
        for exponent in 15..<60 {
            let wheel = Wheel(now: 12_345)
            let due = UInt64(1) << UInt64(exponent)
            _ = wheel.start(due: due, 1)
            var asked = 0
            while let time = wheel.wakeTime(), time > 0 {
                #expect(time <= due + Self.tick)
                wheel.advance(to: time)
                asked += 1
            }
            #expect(asked == 1)
            #expect(wheel.next()?.due == due)
        }
    }

    @Test func tokensOfEarlierWaits_areDead_alsoWhenTheMemoryWasGivenBack() {
        let wheel = Wheel(now: 0)
        let tokens = (0..<5000).map { wheel.start(due: UInt64($0) * 1000 + 1, $0) }
        wheel.advance(to: 10_000_000)
        while wheel.next() != nil {}
        #expect(wheel.count == 0)
        let new = (0..<100).map { wheel.start(due: 20_000_000 + UInt64($0), $0) }
        #expect(tokens.allSatisfy { !wheel.isWaiting($0) })
        #expect(new.allSatisfy { wheel.isWaiting($0) })
    }
}

/// Returns the same numbers each time.
private struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// For what is expected of a wheel, which cannot be copied.
private final class Wheel {
    private var wheel: TimerWheel<Int>
    init(now: UInt64) { wheel = TimerWheel(now: now) }

    var count: Int { wheel.count }
    func start(due: UInt64, atOnce: Bool = false, _ payload: Int) -> TimerToken {
        wheel.start(due: due, atOnce: atOnce, payload)
    }
    func stop(_ token: TimerToken) -> Int? { wheel.stop(token) }
    func move(_ token: TimerToken, due: UInt64) -> Bool { wheel.move(token, due: due) }
    func isWaiting(_ token: TimerToken) -> Bool { wheel.isWaiting(token) }
    func due(_ token: TimerToken) -> UInt64? { wheel.due(token) }
    func wakeTime() -> UInt64? { wheel.wakeTime() }
    func advance(to now: UInt64) { wheel.advance(to: now) }
    func next() -> (payload: Int, due: UInt64)? {
        guard let (token, due) = wheel.firstReady else { return nil }
        return (wheel.stop(token)!, due)
    }
}
