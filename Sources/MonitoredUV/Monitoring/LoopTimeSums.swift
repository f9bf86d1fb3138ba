import Synchronization

/// The running sums behind ``LoopTime``: written by the loop's thread alone and read from any.
struct LoopTimeSums: ~Copyable, Sendable {
    let callbacks = Part()
    let monitor = Part()
    let poll = Part()
    let overhead = Part()

    /// One part's time in nanoseconds; while it goes on, less the instant since when, which makes it negative. So a
    /// reader gets what is under way as well, from one word.
    struct Part: ~Copyable {
        private let word = Atomic<Int64>(0)

        @inline(__always)
        func begin(at now: UInt64) { add(0 &- Int64(truncatingIfNeeded: now)) }

        @inline(__always)
        func end(at now: UInt64) { add(Int64(truncatingIfNeeded: now)) }

        @inline(__always)
        private func add(_ more: Int64) { word.store(word.load(ordering: .relaxed) &+ more, ordering: .relaxed) }

        /// Any thread. `now` is read afterwards, so that it lies behind what it is compared with.
        fileprivate var value: Int64 { word.load(ordering: .relaxed) }
    }

    /// Between the parts lies no more than what happens while they are read.
    func read(_ now: () -> UInt64) -> LoopTime {
        let values = (callbacks.value, monitor.value, poll.value, overhead.value)
        let now = now()
        func time(_ value: Int64) -> UInt64 {
            UInt64(max(0, value < 0 ? value &+ Int64(truncatingIfNeeded: now) : value))
        }
        return LoopTime(
            callbackNanoseconds: time(values.0),
            monitorNanoseconds: time(values.1),
            pollNanoseconds: time(values.2),
            overheadNanoseconds: time(values.3)
        )
    }
}
