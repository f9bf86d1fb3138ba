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

    /// Nothing waited until `start`, and from then until `now` the lag was so much.
    @inline(__always)
    mutating func add(_ lag: Double, from start: UInt64, until now: UInt64) {
        value = blended(with: lag, from: start, until: now)
        at = now
    }

    @inline(__always)
    func blended(with lag: Double, from start: UInt64, until now: UInt64) -> Double {
        let passed = Double(now > at ? now &- at : 0)
        let weighed = Double(now > start ? now &- start : 0)
        return (value * Self.halfLife + lag * weighed) / (Self.halfLife + passed)
    }
}

/// Whether a number is too high, with two limits, so that the answer does not flutter: above the limit it is, below half
/// of it it is not, and in between it is what it was.
func isTooHigh(_ value: Double, limit: Double, was: Bool) -> Bool { value > limit || (was && value > limit / 2) }
