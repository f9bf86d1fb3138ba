/// The lag of a loop's dispatches, smoothed over time: the mean of each iteration, weighted by how long ago it was.
struct SmoothedLag: Equatable {
    /// After so long a value has lost half of its weight.
    static let halfLife = 500_000_000.0

    private(set) var value: Double
    private(set) var at: UInt64

    init(_ value: Double = 0, at now: UInt64) {
        self.value = value
        at = now
    }

    /// The lag was so much from the last instant on until `now`.
    mutating func add(_ lag: Double, until now: UInt64) {
        value = blended(with: lag, until: now)
        at = max(at, now)
    }

    func blended(with lag: Double, until now: UInt64) -> Double {
        let passed = now > at ? Double(now - at) : 0
        let kept = Self.halfLife / (Self.halfLife + passed)
        return value * kept + lag * (1 - kept)
    }
}

/// Whether a number is too high, with two limits, so that the answer does not flutter: above the limit it is, below half
/// of it it is not, and in between it is what it was.
func isTooHigh(_ value: Double, limit: Double, was: Bool) -> Bool { value > limit || (was && value > limit / 2) }
