// The system's C library under one name, and the differences between systems in one place.

// For `pthread_setname_np`.
package import CLibUV

#if canImport(Glibc)
    @_exported public import Glibc
#elseif canImport(Darwin)
    @_exported public import Darwin
#else
    #error("MonitoredUV needs Glibc or Darwin")
#endif

package enum Platform {
    // MARK: Descriptors; methods of handles and loops hide these names

    package static func close(_ descriptor: Int32) {
        #if canImport(Glibc)
            _ = Glibc.close(descriptor)
        #else
            _ = Darwin.close(descriptor)
        #endif
    }

    /// Returns 0, or -1 with `errno`.
    package static func listen(_ socket: Int32, _ backlog: Int32) -> Int32 {
        #if canImport(Glibc)
            Glibc.listen(socket, backlog)
        #else
            Darwin.listen(socket, backlog)
        #endif
    }

    /// `SOCK_STREAM`.
    package static var streamSocket: Int32 {
        #if canImport(Darwin)
            SOCK_STREAM
        #else
            Int32(SOCK_STREAM.rawValue)
        #endif
    }

    /// Errors of `accept` that concern one connection, which has then left the queue.
    package static var errorsOfOneConnection: [Int32] {
        let everywhere = [EINTR, ECONNABORTED, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTUNREACH, ENETUNREACH]
        #if os(Linux)
            return everywhere + [ENONET, EHOSTDOWN]
        #else
            return everywhere
        #endif
    }

    /// Returns when a file was last changed.
    package static func modificationTime(_ status: stat) -> timespec {
        #if canImport(Darwin)
            status.st_mtimespec
        #else
            status.st_mtim
        #endif
    }

    // MARK: Threads

    package struct Thread: Sendable {
        #if canImport(Darwin)
            /// A pointer that only the thread functions look into.
            private let address: UInt
            fileprivate init(handle: pthread_t) { address = UInt(bitPattern: handle) }
            fileprivate var handle: pthread_t { pthread_t(bitPattern: address)! }
        #else
            fileprivate let handle: pthread_t
        #endif
    }

    private final class Start: Sendable {
        let name: String
        let body: @Sendable () -> Void
        init(_ name: String, _ body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }

        /// Names the thread and runs the body. A thread that cannot be named runs anyway.
        func run() {
            #if canImport(Darwin)
                pthread_setname_np(name)
            #else
                // Fifteen bytes; the end distinguishes the threads of a group.
                var name = name
                while name.utf8.count > 15 { name.removeFirst() }
                _ = pthread_setname_np(pthread_self(), name)
            #endif
            body()
        }
    }

    /// Starts a thread, or returns the reason for the failure as an `errno` value.
    package static func startThread(
        name: String,
        _ body: @escaping @Sendable () -> Void
    ) -> (thread: Thread?, error: Int32) {
        let start = Unmanaged.passRetained(Start(name, body))
        #if canImport(Darwin)
            var thread: pthread_t?
            let status = pthread_create(&thread, nil, { Platform.main($0) }, start.toOpaque())
        #else
            var thread = pthread_t()
            let status = pthread_create(&thread, nil, { Platform.main($0!) }, start.toOpaque())
        #endif
        if status != 0 {
            start.release()
            return (nil, status)
        }
        #if canImport(Darwin)
            return (Thread(handle: thread!), 0)
        #else
            return (Thread(handle: thread), 0)
        #endif
    }

    private static func main(_ start: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? {
        Unmanaged<Start>.fromOpaque(start).takeRetainedValue().run()
        return nil
    }

    /// Detaches a thread; returns the status as an `errno` value.
    package static func detach(_ thread: Thread) -> Int32 { pthread_detach(thread.handle) }

    /// Waits until a thread has ended; returns the status as an `errno` value.
    package static func join(_ thread: Thread) -> Int32 { pthread_join(thread.handle, nil) }

    /// The number of times this thread has voluntarily given up its processor; `nil` if the system does not report it.
    package static var voluntarySwitches: Int? {
        #if os(Linux)
            var usage = rusage()
            let thread: Int32 = 1  // RUSAGE_THREAD, which Swift does not import
            return getrusage(thread, &usage) == 0 ? usage.ru_nvcsw : nil
        #else
            return nil
        #endif
    }

    // MARK: Signals

    /// The signals whose fault recurs after a handler returns.
    package static var faultSignals: [Int32] { [SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS] }

    /// Gives a signal with the default action a handler that does nothing.
    package static func catchQuietly(_ signal: Int32) {
        var current = sigaction()
        guard sigaction(signal, nil, &current) == 0, hasDefaultHandler(current) else { return }
        var new = sigaction()
        #if os(Linux)
            new.__sigaction_handler.sa_handler = { _ in }
        #else
            new.__sigaction_u.__sa_handler = { _ in }
        #endif
        new.sa_flags = Int32(SA_RESTART) | Int32(SA_ONSTACK)
        sigaction(signal, &new, nil)
    }

    private static func hasDefaultHandler(_ action: sigaction) -> Bool {
        #if os(Linux)
            let handler = action.__sigaction_handler.sa_handler
        #else
            let handler = action.__sigaction_u.__sa_handler
        #endif
        return unsafeBitCast(handler, to: Int.self) == unsafeBitCast(SIG_DFL, to: Int.self)
    }

    /// Consumes a pending, blocked signal of a set.
    package static func consumePending(_ signal: Int32, of set: sigset_t) {
        var set = set
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
    }
}
