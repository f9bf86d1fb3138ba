#if canImport(Glibc)
    import Glibc
#endif

/// How often threads give up their processors.
enum ContextSwitches {
    /// How often this thread has done so of its own accord, which is to wait for something; `nil` where the system does
    /// not tell. The corresponding system call is `getrusage`, with `RUSAGE_THREAD`.
    @inline(never)
    static func voluntary() -> Int? {
        #if os(Linux)
            var usage = rusage()
            let thread: Int32 = 1  // RUSAGE_THREAD, which Swift does not import
            return getrusage(thread, &usage) == 0 ? usage.ru_nvcsw : nil
        #else
            return nil
        #endif
    }
}
