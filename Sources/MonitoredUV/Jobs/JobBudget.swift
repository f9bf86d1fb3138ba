/// How much one job may get done by operations that complete at once: a task that never has to wait would keep its loop
/// from everything else.
///
/// Loop thread only. It reads no clock itself.
struct JobBudget {
    static let bytes = 256 * 1024
    static let nanoseconds: UInt64 = 1_000_000
    /// The clock is read once in so many operations.
    private static let operationsPerReading = 16

    private var operations = 0
    private var bytes = 0
    private var began: UInt64 = 0

    /// A job begins.
    @inline(__always)
    mutating func begin() { operations = 0 }

    /// An operation has moved bytes.
    @inline(__always)
    mutating func spend(bytes more: Int) { bytes &+= more }

    /// An operation begins: whether the job has had its share, and is to give way first.
    mutating func isSpent(now: () -> UInt64) -> Bool {
        if operations == 0 {
            began = now()
            bytes = 0
        }
        operations += 1
        let isSpent =
            bytes >= Self.bytes
            || (operations % Self.operationsPerReading == 0 && now() - began >= Self.nanoseconds)
        if isSpent { operations = 0 }
        return isSpent
    }
}
