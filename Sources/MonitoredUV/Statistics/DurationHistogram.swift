/// A histogram of durations, in bins that are a few percent wide, or up to 25% in ``NameStatistics``. Histograms are
/// values that can be added and subtracted.
///
/// ```swift
/// let lag = (after - before).lag(.timer)
/// print(lag.count, lag.percentile(99), lag.max)
/// ```
public struct DurationHistogram: Sendable, Hashable {
    let bins: LogLinearBins
    private(set) var counts: [UInt64]
    private(set) var sumNanoseconds: UInt64
    private(set) var maxNanoseconds: UInt64

    init(bins: LogLinearBins, counts: [UInt64], sum: UInt64, maximum: UInt64) {
        self.bins = bins
        self.counts = counts
        sumNanoseconds = sum
        maxNanoseconds = maximum
    }

    /// Creates an empty histogram.
    init(_ bins: LogLinearBins = .fine) {
        self.init(bins: bins, counts: Array(repeating: 0, count: bins.count), sum: 0, maximum: 0)
    }

    mutating func record(_ nanoseconds: UInt64) {
        counts[bins.index(of: nanoseconds)] += 1
        sumNanoseconds &+= nanoseconds
        maxNanoseconds = Swift.max(maxNanoseconds, nanoseconds)
    }

    /// The number of recorded durations.
    public var count: Int { counts.reduce(0) { $0 + Int($1) } }

    /// The sum of all recorded durations.
    public var sum: Duration { Duration(nanoseconds: sumNanoseconds) }

    /// The longest duration: exact since recording began; in a difference of two, an upper bound within the width of a
    /// bin.
    public var max: Duration { Duration(nanoseconds: maxNanoseconds) }

    /// The mean duration; zero if there are none.
    public var mean: Duration {
        let count = UInt64(self.count)
        return count == 0 ? .zero : Duration(nanoseconds: sumNanoseconds / count)
    }

    /// Returns the duration that `percent` of all do not exceed: the upper bound of its bin, and never more than
    /// ``max``.
    ///
    /// - Parameter percent: From 0 to 100; anything else traps.
    public func percentile(_ percent: Double) -> Duration {
        require((0...100).contains(percent), "percentile(\(percent)): the percentage must be from 0 to 100")
        let wanted = Swift.max(1, (Double(count) * percent / 100).rounded(.up))
        var seen = 0.0
        for (index, count) in counts.enumerated() where count > 0 {
            seen += Double(count)
            if seen >= wanted { return Duration(nanoseconds: Swift.min(maxNanoseconds, bins.upperBound(index))) }
        }
        return max
    }

    /// Returns the sum of all durations of `limit` and more, accurate to 1.6% in the fine bins of loops and to 13% in
    /// those of names. The limit is exact if it is a power of two nanoseconds; otherwise all durations in its bin
    /// count.
    ///
    /// A percentile weighs all durations alike, so that one second among a million short durations does not show in it;
    /// here it does.
    public func sum(over limit: Duration) -> Duration {
        let first = bins.index(of: limit.nanosecondsClamped)
        let sum = (first..<bins.count).reduce(UInt64(0)) { $0 &+ counts[$1] &* bins.middle($1) }
        return Duration(nanoseconds: sum)
    }

    /// Returns the number of durations shorter than `limit`. The limit is exact if it is a power of two nanoseconds;
    /// otherwise durations in its bin do not count.
    public func count(below limit: Duration) -> Int {
        let end = bins.index(of: limit.nanosecondsClamped)
        return counts[..<end].reduce(0) { $0 + Int($1) }
    }

    /// Returns the durations of both. Traps if one is of a name (``NameStatistics/wallTime``) and the other of a loop.
    public static func + (left: DurationHistogram, right: DurationHistogram) -> DurationHistogram {
        combine(left, right, &+, maximum: Swift.max(left.maxNanoseconds, right.maxNanoseconds))
    }

    /// Subtracts an `earlier` reading of the same histogram. Traps if one is of a name and the other of a loop.
    public static func - (later: DurationHistogram, earlier: DurationHistogram) -> DurationHistogram {
        let difference = combine(later, earlier, { $0 > $1 ? $0 &- $1 : 0 }, maximum: 0)
        return difference.withMaximum(below: later.maxNanoseconds)
    }

    private func withMaximum(below limit: UInt64) -> DurationHistogram {
        guard let last = counts.lastIndex(where: { $0 > 0 }) else { return self }
        var result = self
        // The last bin has no upper bound of its own, so only the limit applies.
        let isOpen = last == bins.count - 1
        result.maxNanoseconds = isOpen ? limit : Swift.min(limit, bins.upperBound(last))
        return result
    }

    private static func combine(
        _ left: DurationHistogram,
        _ right: DurationHistogram,
        _ operation: (UInt64, UInt64) -> UInt64,
        maximum: UInt64
    ) -> DurationHistogram {
        require(left.bins == right.bins, "the histogram of a name cannot be combined with another: its bins are wider")
        return DurationHistogram(
            bins: left.bins,
            counts: zip(left.counts, right.counts).map(operation),
            sum: operation(left.sumNanoseconds, right.sumNanoseconds),
            maximum: maximum
        )
    }
}

extension DurationHistogram: CustomStringConvertible {
    /// `16145 samples, p50 12 us, p99 118 us, max 4.4 ms`.
    public var description: String {
        "\(count) sample\(count == 1 ? "" : "s"), p50 \(percentile(50).brief), p99 \(percentile(99).brief), max \(max.brief)"
    }
}

extension DurationHistogram: Codable {
    private enum Key: CodingKey { case bits, counts, sum, max }

    /// Encodes the nonempty bins, as pairs of index and count.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(bins.bits, forKey: .bits)
        let pairs = counts.enumerated().filter { $0.element > 0 }.map { [UInt64($0.offset), $0.element] }
        try container.encode(pairs, forKey: .counts)
        try container.encode(sumNanoseconds, forKey: .sum)
        try container.encode(maxNanoseconds, forKey: .max)
    }

    /// Decodes a histogram; throws if this version does not know its bins.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Key.self)
        let bits = try container.decode(Int.self, forKey: .bits)
        guard [LogLinearBins.fine, .coarse].contains(LogLinearBins(bits: bits)) else {
            throw DecodingError.dataCorruptedError(forKey: .bits, in: container, debugDescription: "no such bins")
        }
        self.init(LogLinearBins(bits: bits))
        for pair in try container.decode([[UInt64]].self, forKey: .counts) {
            guard pair.count == 2, pair[0] < UInt64(bins.count) else {
                throw DecodingError.dataCorruptedError(forKey: .counts, in: container, debugDescription: "no such bin")
            }
            counts[Int(pair[0])] = pair[1]
        }
        sumNanoseconds = try container.decode(UInt64.self, forKey: .sum)
        maxNanoseconds = try container.decode(UInt64.self, forKey: .max)
    }
}
