import Testing

@testable import MonitoredUV

private let second: UInt64 = 1_000_000_000

struct SmoothedLagTests {
    @Test func lag_isForgottenWithTime() {
        var lag = SmoothedLag(at: 0)
        lag.add(100, from: 0, until: 100 * second)
        #expect(lag.value > 99)
        #expect(abs(lag.blended(with: 0, from: 101 * second, until: 100 * second + second / 2) - lag.value / 2) < 0.01)
        #expect(lag.blended(with: 0, from: 1000 * second, until: 1000 * second) < 0.1)
    }

    @Test func shortIterations_weighLittle() {
        var lag = SmoothedLag(at: second)
        lag.add(1_000_000, from: second, until: second + 1_000_000)
        #expect(lag.value < 2_100 && lag.value > 1_900)
    }

    @Test func idleTime_countsAsNoLag() {
        var lag = SmoothedLag(at: 0)
        lag.add(1000, from: 10 * second - second / 100, until: 10 * second)
        #expect(lag.value < 1)
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
