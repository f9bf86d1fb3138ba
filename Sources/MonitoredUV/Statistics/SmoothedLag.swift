import MonitoredUVPlatform

/// The lag of a loop's dispatches, smoothed over time: the mean of each iteration, weighted by how long ago it was.
struct SmoothedLag: Equatable {
    /// After so long a value has lost half of its weight.
    static var halfLife: Double {
        @inline(__always) get { 500_000_000 }
    }

    private(set) var value: Double
    private(set) var at: UInt64

    init(_ value: Double = 0, at now: UInt64) {
        self.value = value
        at = now
    }

    /// Nothing waited until `start`; then the loop was busy until `now`, with dispatches of so much lag in the mean.
    ///
    /// Work that became ready meanwhile waited for half of that on average, and counts for as long as it waited.
    @inline(__always)
    mutating func add(_ lag: Double, from start: UInt64, until now: UInt64) {
        let busy = Double(signed: now &- start)
        value = blended(with: max(lag, busy / 2), weight: max(busy, lag), from: start)
        at = now
    }

    /// If nothing had waited until `start`, and since then everything, until `now`.
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
        // For short times, which are the most, a division will do.
        return halves < 0.05 ? 1 / (1 + halves * 0.693_147) : exp2(-halves)
    }
}

/// Whether a number is too high, with two limits, so that the answer does not flutter: above the limit it is, below half
/// of it it is not, and in between it is what it was.
func isTooHigh(_ value: Double, limit: Double, was: Bool) -> Bool { value > limit || (was && value > limit / 2) }

extension Double {
    /// Nanoseconds of less than 292 years, for which processors have an instruction.
    @inline(__always)
    init(signed nanoseconds: UInt64) { self.init(Int64(bitPattern: nanoseconds)) }
}
