/// The time of a monitored loop, by use. Every nanosecond of its runs belongs to exactly one of four parts.
public struct LoopTime: Sendable, Hashable, Codable, BitwiseCopyable {
    let callbackNanoseconds: UInt64
    let monitorNanoseconds: UInt64
    let pollNanoseconds: UInt64
    let overheadNanoseconds: UInt64

    var elapsedNanoseconds: UInt64 {
        callbackNanoseconds &+ monitorNanoseconds &+ pollNanoseconds &+ overheadNanoseconds
    }

    /// The time in user code: the sum of the wall times of all reported dispatches.
    public var callbacks: Duration { Duration(nanoseconds: callbackNanoseconds) }

    /// The time in the monitor itself. The library's own records of each dispatch count as ``overhead``.
    public var monitor: Duration { Duration(nanoseconds: monitorNanoseconds) }

    /// The time in the poll for I/O, from entering it to the first callback after it: all of the time in which the loop
    /// had nothing to do, and the system call that reads or writes for that callback.
    public var poll: Duration { Duration(nanoseconds: pollNanoseconds) }

    /// The time in libuv and in this library, including system calls for reading and accepting, except for the first
    /// after a poll. It counts when it ends.
    public var overhead: Duration { Duration(nanoseconds: overheadNanoseconds) }

    /// The time that the loop has run while monitored: the sum of the four parts.
    public var elapsed: Duration { Duration(nanoseconds: elapsedNanoseconds) }

    /// The share of the elapsed time in which the loop was not waiting for I/O, from 0 to 1.
    public var utilization: Double {
        elapsedNanoseconds == 0 ? 0 : 1 - Double(pollNanoseconds) / Double(elapsedNanoseconds)
    }

    /// Returns the time of both.
    public static func + (left: LoopTime, right: LoopTime) -> LoopTime { combine(left, right, &+) }

    /// Returns the time from an `earlier` reading of the same loop to this one.
    public static func - (later: LoopTime, earlier: LoopTime) -> LoopTime {
        combine(later, earlier) { $0 > $1 ? $0 &- $1 : 0 }
    }

    private static func combine(
        _ left: LoopTime,
        _ right: LoopTime,
        _ operation: (UInt64, UInt64) -> UInt64
    ) -> LoopTime {
        LoopTime(
            callbackNanoseconds: operation(left.callbackNanoseconds, right.callbackNanoseconds),
            monitorNanoseconds: operation(left.monitorNanoseconds, right.monitorNanoseconds),
            pollNanoseconds: operation(left.pollNanoseconds, right.pollNanoseconds),
            overheadNanoseconds: operation(left.overheadNanoseconds, right.overheadNanoseconds)
        )
    }
}

extension LoopTime: CustomStringConvertible {
    /// `callbacks 1.1 s, monitor 43 ms, overhead 40 ms, waiting for I/O 2.9 s`.
    public var description: String {
        "callbacks \(callbacks.brief), monitor \(monitor.brief), overhead \(overhead.brief), waiting for I/O \(poll.brief)"
    }
}
