#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Blocks a signal that a system call would raise on this thread; the call's result tells the same.
struct SignalBlock {
    private let signal: Int32
    private var outer = sigset_t()

    init(_ signal: Int32) {
        self.signal = signal
        var set = Self.set(signal)
        pthread_sigmask(SIG_BLOCK, &set, &outer)
    }

    /// Consumes a pending signal, which would end the process once unblocked, and restores the mask.
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
