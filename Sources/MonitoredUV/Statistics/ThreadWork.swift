import MonitoredUVPlatform

/// Counters of a thread that distinguish work from sleep, read on that thread before and after.
struct ThreadWork: BitwiseCopyable, Equatable {
    /// The number of times the thread has voluntarily given up its processor, in order to wait.
    var waits: Int
    /// The processor time, in nanoseconds; 0 if not requested.
    var processorTime: UInt64

    /// Returns the counters of this thread; `nil` if the system does not report them. The corresponding system calls
    /// are `getrusage`, with `RUSAGE_THREAD`, and `clock_gettime`, with `CLOCK_THREAD_CPUTIME_ID`.
    @inline(never)
    static func read(withTime: Bool) -> ThreadWork? {
        guard let waits = Platform.voluntarySwitches else { return nil }
        var time = timespec()
        if withTime && clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) != 0 { return nil }
        let nanoseconds = UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
        return ThreadWork(waits: waits, processorTime: nanoseconds)
    }
}
