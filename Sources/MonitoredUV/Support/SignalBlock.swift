import MonitoredUVPlatform

/// Blocks a signal that a system call would raise on this thread; the call's result reports the same.
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
        Platform.consumePending(signal, of: Self.set(signal))
        pthread_sigmask(SIG_SETMASK, &outer, nil)
    }

    private static func set(_ signal: Int32) -> sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, signal)
        return set
    }
}
