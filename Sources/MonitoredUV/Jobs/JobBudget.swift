/// The budget of one job for operations that complete at once. Without it, a task that never has to wait would keep its
/// loop from everything else.
///
/// Loop thread only. It reads no clock itself.
struct JobBudget {
    static let bytes = 256 * 1024
    static let nanoseconds: UInt64 = 1_000_000

    private var bytes = 0
    /// When the job's first operation ended; 0 before that.
    private var began: UInt64 = 0
    /// Whether the job has yielded to others.
    private(set) var wasSpent = false

    /// Begins the budget of a job.
    @inline(__always)
    mutating func begin() {
        (bytes, began) = (0, 0)
        wasSpent = false
    }

    /// Charges the bytes that an operation has moved.
    @inline(__always)
    mutating func spend(bytes more: Int) { bytes &+= more }

    /// Returns whether the job has spent its budget and must yield. Called when an operation has ended.
    mutating func isSpent(now: () -> UInt64) -> Bool {
        let now = now()
        if began == 0 { began = now }
        let isSpent = bytes >= Self.bytes || now - began >= Self.nanoseconds
        if isSpent { (bytes, began) = (0, 0) }
        wasSpent = wasSpent || isSpent
        return isSpent
    }
}
