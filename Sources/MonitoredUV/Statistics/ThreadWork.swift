#if canImport(Glibc)
    import Glibc
#endif

/// Counters of a thread that tell work from sleep, read on that thread before and after.
struct ThreadWork: BitwiseCopyable, Equatable {
    /// How often the thread has given up its processor of its own accord, which is to wait for something.
    var waits: Int
    /// How long it has used a processor, in nanoseconds; 0 where that was not asked for.
    var processorTime: UInt64

    /// `nil` where the system does not tell. The corresponding system calls are `getrusage`, with `RUSAGE_THREAD`, and
    /// `clock_gettime`, with `CLOCK_THREAD_CPUTIME_ID`.
    @inline(never)
    static func read(withTime: Bool) -> ThreadWork? {
        #if os(Linux)
            var usage = rusage()
            let thread: Int32 = 1  // RUSAGE_THREAD, which Swift does not import
            guard getrusage(thread, &usage) == 0 else { return nil }
            var time = timespec()
            if withTime && clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) != 0 { return nil }
            let nanoseconds = UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
            return ThreadWork(waits: usage.ru_nvcsw, processorTime: nanoseconds)
        #else
            return nil
        #endif
    }
}
