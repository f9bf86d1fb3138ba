#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Keeps a signal from this thread that a system call raises on it. What the call returns tells the same.
struct SignalBlock {
    private let signal: Int32
    private var outer = sigset_t()

    init(_ signal: Int32) {
        self.signal = signal
        var set = Self.set(signal)
        pthread_sigmask(SIG_BLOCK, &set, &outer)
    }

    /// Takes back what was raised meanwhile, which would end the process as soon as the signal is let through.
    mutating func end() {
        if sigismember(&outer, signal) == 1 { return }
        var set = Self.set(signal)
        #if os(Linux)
            var none = timespec()
            while sigtimedwait(&set, nil, &none) == signal {}
        #else
            var pending = sigset_t()
            while sigpending(&pending) == 0 && sigismember(&pending, signal) == 1 {
                var taken: Int32 = 0
                sigwait(&set, &taken)
            }
        #endif
        pthread_sigmask(SIG_SETMASK, &outer, nil)
    }

    private static func set(_ signal: Int32) -> sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, signal)
        return set
    }
}
