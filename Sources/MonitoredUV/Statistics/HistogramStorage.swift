/// The writer's side of a histogram, in memory owned elsewhere: the bins, then sum and maximum.
///
/// One thread records. Any thread may read at the same time, without a lock.
struct HistogramStorage {
    private let words: UnsafeMutablePointer<Word>
    private let bins: LogLinearBins

    static func wordCount(_ bins: LogLinearBins) -> Int { bins.count + 2 }

    @inline(__always)
    init(_ words: UnsafeMutablePointer<Word>, _ bins: LogLinearBins) {
        self.words = words
        self.bins = bins
    }

    @inline(__always)
    func record(_ value: UInt64) { record(value, in: bins.index(of: value)) }

    /// Records a value whose bin is known.
    @inline(__always)
    func record(_ value: UInt64, in bin: Int) {
        (words + bin).add(1)
        sum.add(value)
        if value > maximum.value { maximum.value = value }
    }

    @inline(__always)
    var sum: UnsafeMutablePointer<Word> { words + bins.count }

    @inline(__always)
    private var maximum: UnsafeMutablePointer<Word> { words + (bins.count &+ 1) }

    func read() -> DurationHistogram {
        // Reads the bins before the sum. Either may lack a value that is recorded in the meantime.
        let counts = (0..<bins.count).map { (words + $0).value }
        return DurationHistogram(bins: bins, counts: counts, sum: sum.value, maximum: maximum.value)
    }

    /// Adds the values of `other` to this histogram, and empties `other`. The writer's thread only.
    func absorb(_ other: HistogramStorage) {
        for index in 0..<bins.count { (words + index).add((other.words + index).value) }
        sum.add(other.sum.value)
        maximum.value = max(maximum.value, other.maximum.value)
        for index in 0..<Self.wordCount(bins) { (other.words + index).value = 0 }
    }
}
