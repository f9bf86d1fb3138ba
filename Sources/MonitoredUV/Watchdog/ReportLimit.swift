/// So many in so much time; the rest is counted.
struct ReportLimit {
    let count: Int
    let nanoseconds: UInt64
    private var admitted: [UInt64] = []
    private var suppressed = 0

    init(_ count: Int, per nanoseconds: UInt64) {
        self.count = count
        self.nanoseconds = nanoseconds
    }

    /// How many were suppressed before this one; `nil` if this one is to be as well.
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
