#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What a process needs before libuv may write to sockets and close descriptors in it.
enum ProcessSetup {
    /// Sees to it that descriptors 0 to 2 are open: libuv aborts when it closes a socket that got one of them.
    static let openStandardDescriptors: Void = {
        for descriptor in Int32(0)...2 where fcntl(descriptor, F_GETFD) == -1 && errno == EBADF {
            _ = open("/dev/null", O_RDWR)
        }
    }()

    /// libuv writes with `write(2)`, so a peer that is gone would end the process. A handler of the program's own is
    /// left in place.
    static func ignoreSIGPIPE() {
        var current = sigaction()
        guard sigaction(SIGPIPE, nil, &current) == 0 else { return }
        #if os(Linux)
            let handler = current.__sigaction_handler.sa_handler
        #else
            let handler = current.__sigaction_u.__sa_handler
        #endif
        if unsafeBitCast(handler, to: Int.self) == unsafeBitCast(SIG_DFL, to: Int.self) { signal(SIGPIPE, SIG_IGN) }
    }
}

/// Keeps `SIGPIPE` from this thread while it runs a loop, for a program that resets the signal's handling after
/// ``ProcessSetup/ignoreSIGPIPE()``. Darwin's sockets can be told not to raise it, which libuv does.
struct SIGPIPEBlock {
    #if os(Linux)
        private var outer = sigset_t()

        init() {
            var pipe = SIGPIPEBlock.set
            pthread_sigmask(SIG_BLOCK, &pipe, &outer)
        }

        /// Takes back what was raised meanwhile, which would end the process as soon as the signal is let through.
        mutating func end() {
            if sigismember(&outer, SIGPIPE) == 1 { return }
            var pipe = SIGPIPEBlock.set
            var none = timespec()
            while sigtimedwait(&pipe, nil, &none) == SIGPIPE {}
            pthread_sigmask(SIG_SETMASK, &outer, nil)
        }

        private static var set: sigset_t {
            var set = sigset_t()
            sigemptyset(&set)
            sigaddset(&set, SIGPIPE)
            return set
        }
    #else
        mutating func end() {}
    #endif
}
