/// At most `count` reports per window; the rest are counted.
struct ReportLimit {
    let count: Int
    let nanoseconds: UInt64
    private var admitted: [UInt64] = []
    private var suppressed = 0

    init(_ count: Int, per nanoseconds: UInt64) {
        self.count = count
        self.nanoseconds = nanoseconds
    }

    /// Returns the number of reports suppressed before this one; `nil` if this one is also suppressed.
    mutating func admit(at now: UInt64) -> Int? {
        admitted.removeAll { now >= $0 + nanoseconds }
        guard admitted.count < count else {
            suppressed += 1
            return nil
        }
        admitted.append(now)
        defer { suppressed = 0 }
        return suppressed
    }
}
