import Synchronization

/// Where the time of a monitored loop went: every nanosecond of its runs is in exactly one of four parts.
public struct LoopTime: Sendable, Hashable, BitwiseCopyable {
    let callbackNanoseconds: UInt64
    let monitorNanoseconds: UInt64
    let pollNanoseconds: UInt64
    let overheadNanoseconds: UInt64

    var elapsedNanoseconds: UInt64 {
        callbackNanoseconds &+ monitorNanoseconds &+ pollNanoseconds &+ overheadNanoseconds
    }

    /// In user code: the sum of the wall times of all dispatches that were reported.
    public var callbacks: Duration { Duration(nanoseconds: callbackNanoseconds) }

    /// In the monitor itself.
    public var monitor: Duration { Duration(nanoseconds: monitorNanoseconds) }

    /// In the poll for I/O, which is from going into it to the first callback after it: all of the time in which the
    /// loop had nothing to do, and with it the system call that reads or writes for that callback.
    public var poll: Duration { Duration(nanoseconds: pollNanoseconds) }

    /// In libuv and in this library, system calls for reading and accepting included, but for the first after a poll.
    public var overhead: Duration { Duration(nanoseconds: overheadNanoseconds) }

    /// How long the loop has run with a monitor set: the sum of the four parts.
    public var elapsed: Duration { Duration(nanoseconds: elapsedNanoseconds) }

    /// The share of the elapsed time in which the loop was not waiting for I/O, from 0 to 1.
    public var utilization: Double {
        elapsedNanoseconds == 0 ? 0 : 1 - Double(pollNanoseconds) / Double(elapsedNanoseconds)
    }

    /// The time from an `earlier` reading of the same loop to this one.
    public func since(_ earlier: LoopTime) -> LoopTime {
        LoopTime(
            callbackNanoseconds: callbackNanoseconds &- earlier.callbackNanoseconds,
            monitorNanoseconds: monitorNanoseconds &- earlier.monitorNanoseconds,
            pollNanoseconds: pollNanoseconds &- earlier.pollNanoseconds,
            overheadNanoseconds: overheadNanoseconds &- earlier.overheadNanoseconds
        )
    }
}

extension LoopTime: CustomStringConvertible {
    /// `callbacks 1.1 s, monitor 43 ms, overhead 40 ms, waiting for I/O 2.9 s`.
    public var description: String {
        "callbacks \(callbacks.brief), monitor \(monitor.brief), overhead \(overhead.brief), waiting for I/O \(poll.brief)"
    }
}

/// The running sums behind ``LoopTime``: written by the loop's thread alone, which makes a relaxed load and store as
/// good as an addition, and read from any.
struct LoopTimeSums: ~Copyable, Sendable {
    let callbacks = Sum()
    let monitor = Sum()
    let poll = Sum()
    let overhead = Sum()

    struct Sum: ~Copyable {
        private let nanoseconds = Atomic<UInt64>(0)
        var value: UInt64 { nanoseconds.load(ordering: .relaxed) }

        @inline(__always)
        func add(_ more: UInt64) { nanoseconds.store(nanoseconds.load(ordering: .relaxed) &+ more, ordering: .relaxed) }
    }

    /// Each sum is whole; between them lies no more than what happens while they are read.
    func read() -> LoopTime {
        LoopTime(
            callbackNanoseconds: callbacks.value,
            monitorNanoseconds: monitor.value,
            pollNanoseconds: poll.value,
            overheadNanoseconds: overhead.value
        )
    }
}
