import Testing

@testable import MonitoredUV

private let second: UInt64 = 1_000_000_000

struct SmoothedLagTests {
    @Test func lag_isForgottenByHalfInHalfASecond() {
        var lag = SmoothedLag(1_000_000_000, at: 0)
        lag.add(0, from: second / 2, until: second / 2)
        #expect(abs(lag.value - 500_000_000) < 1000)
        lag.add(0, from: 5 * second, until: 5 * second)
        #expect(lag.value < 1_000_000)
        // In many small steps as in one.
        var steps = SmoothedLag(1_000_000_000, at: 0)
        for step in UInt64(1)...5000 { steps.add(0, from: step * 100_000, until: step * 100_000) }
        #expect(abs(steps.value - 500_000_000) < 1_000_000)
    }

    @Test func shortIterations_weighLittle() {
        var lag = SmoothedLag(at: second)
        lag.add(1000, from: second, until: second + 1_000_000)
        #expect(lag.value > 500 && lag.value < 1000)
    }

    /// A timer blocks again and again, and those who waited have their turn in short iterations of their own.
    @Test func loopThatKeepsEverybodyWaiting_hasALagOfThatLength() {
        var lag = SmoothedLag(at: second)
        var now = second
        for _ in 0..<10 {
            lag.add(0, from: now, until: now + second / 4)
            now += second / 4
            lag.add(250_000_000, from: now, until: now + 1_000_000)
            now += 10_000_000
        }
        #expect(lag.value > 150_000_000 && lag.value < 260_000_000)
    }

    @Test func loopThatIsStuck_hasALagThatGrows() {
        let lag = SmoothedLag(at: second)
        let values = [10, 100, 1000, 10_000].map { lag.blended(withWaitFrom: second, until: second + $0 * 1_000_000) }
        #expect(values == values.sorted())
        #expect(values[0] < 1_000_000)
        #expect(values[2] > 500_000_000)
        #expect(lag.blended(withWaitFrom: 2 * second, until: 2 * second) == 0)
    }

    @Test func overload_doesNotFlutter() {
        var isOverloaded = false
        var changes = 0
        func see(_ value: Double) -> Bool {
            let new = isTooHigh(value, limit: 100, was: isOverloaded)
            if new != isOverloaded { changes += 1 }
            isOverloaded = new
            return new
        }
        #expect(!see(99))
        #expect(see(101))
        for _ in 0..<10 {
            #expect(see(99))
            #expect(see(60))
        }
        #expect(!see(50))
        for _ in 0..<10 { #expect(!see(99)) }
        #expect(changes == 2)
    }
}
