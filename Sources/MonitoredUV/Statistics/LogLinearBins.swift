/// Bins for durations in nanoseconds, with a width proportional to the value: 2^`bits` bins per power of two.
///
/// Each value below 2^`bits` has its own bin. Powers of two are always bounds. Durations longer than 2^42 ns (73
/// minutes) fall into the last bin.
struct LogLinearBins: Hashable, Sendable {
    let bits: Int

    @inline(__always)
    init(bits: Int) { self.bits = bits }

    /// At most 3.2% wide.
    static var fine: LogLinearBins {
        @inline(__always) get { LogLinearBins(bits: 5) }
    }

    /// At most 25% wide.
    static var coarse: LogLinearBins {
        @inline(__always) get { LogLinearBins(bits: 2) }
    }

    private static var valueBits: Int {
        @inline(__always) get { 42 }
    }

    @inline(__always)
    var count: Int { (Self.valueBits &- bits &+ 1) &<< bits }

    @inline(__always)
    func index(of value: UInt64) -> Int {
        let value = min(value, 1 &<< UInt64(Self.valueBits) &- 1)
        let exponent = 63 &- (value | 1 &<< UInt64(bits)).leadingZeroBitCount
        let shift = exponent &- bits
        let withinPower = Int(truncatingIfNeeded: value &>> UInt64(shift)) & (1 &<< bits &- 1)
        // The first 2^`bits` bins hold single values, hence `shift + 1`.
        return value < 1 &<< UInt64(bits) ? Int(truncatingIfNeeded: value) : (shift &+ 1) &<< bits &+ withinPower
    }

    /// Returns the coarse bin of a value whose fine bin is known.
    @inline(__always)
    static func coarseIndex(of value: UInt64, fine index: Int) -> Int {
        // The powers of two are the same; the fine bins divide each by three more bits.
        value < 1 &<< UInt64(fine.bits) ? coarse.index(of: value) : index &>> 3 &+ 12
    }

    /// Returns the smallest value in the bin.
    func lowerBound(_ index: Int) -> UInt64 {
        if index < 1 << bits { return UInt64(index) }
        let shift = index >> bits - 1
        return UInt64(1 << bits + index & (1 << bits - 1)) << UInt64(shift)
    }

    /// Returns the middle of the bin, which represents all values in it.
    func middle(_ index: Int) -> UInt64 { (lowerBound(index) + upperBound(index) - 1) / 2 }

    /// Returns the smallest value that is too large for the bin.
    func upperBound(_ index: Int) -> UInt64 { lowerBound(index + 1) }
}
