import MonitoredUVPlatform

/// The lag of a loop's dispatches, smoothed over time: the mean of each iteration, weighted by how long ago it was.
struct SmoothedLag: Equatable {
    /// The time after which a value has lost half of its weight, in nanoseconds.
    static var halfLife: Double {
        @inline(__always) get { 500_000_000 }
    }

    private(set) var value: Double
    private(set) var at: UInt64

    init(_ value: Double = 0, at now: UInt64) {
        self.value = value
        at = now
    }

    /// Adds an iteration: nothing waited until `start`; then the loop was busy until `now`, with a mean lag of `lag`.
    ///
    /// Work that became ready in the meantime waited for half of that time on average, and is weighted by its waiting
    /// time.
    @inline(__always)
    mutating func add(_ lag: Double, from start: UInt64, until now: UInt64) {
        let busy = Double(signed: now &- start)
        value = blended(with: max(lag, busy / 2), weight: max(busy, lag), from: start)
        at = now
    }

    /// Returns the lag as if nothing had waited until `start`, and then everything until `now`.
    func blended(withWaitFrom start: UInt64, until now: UInt64) -> Double {
        let waited = Double(signed: now > start ? now &- start : 0)
        return blended(with: waited, weight: waited, from: start)
    }

    @inline(__always)
    private func blended(with lag: Double, weight: Double, from start: UInt64) -> Double {
        let idle = Double(signed: start > at ? start &- at : 0)
        let kept = Self.kept(after: weight)
        return value * Self.kept(after: idle) * kept + lag * (1 - kept)
    }

    @inline(__always)
    private static func kept(after passed: Double) -> Double {
        let halves = passed / halfLife
        // For short times, the most common, a division is accurate enough.
        return halves < 0.05 ? 1 / (1 + halves * 0.693_147) : exp2(-halves)
    }
}

/// Returns whether a value is too high, with hysteresis: yes above the limit, no below half of it, and in between the
/// same as before.
func isTooHigh(_ value: Double, limit: Double, was: Bool) -> Bool { value > limit || (was && value > limit / 2) }

extension Double {
    /// Converts nanoseconds of less than 292 years, with an instruction that processors have for signed numbers.
    @inline(__always)
    init(signed nanoseconds: UInt64) { self.init(Int64(bitPattern: nanoseconds)) }
}
