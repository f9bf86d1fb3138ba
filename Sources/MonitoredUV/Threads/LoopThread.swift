internal import CLibUV

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// A POSIX thread with a name, that somebody joins or detaches.
struct LoopThread: Sendable {
    #if canImport(Darwin)
        // A pointer that only the thread functions look into.
        nonisolated(unsafe) private let thread: pthread_t
    #else
        private let thread: pthread_t
    #endif

    private final class Start: Sendable {
        let name: String
        let body: @Sendable () -> Void
        init(_ name: String, _ body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }

    /// Starts a thread; debuggers and `top` show the last 15 bytes of `name` on Linux.
    init(name: String, _ body: @escaping @Sendable () -> Void) throws(UVError) {
        let start = Unmanaged.passRetained(Start(name, body))
        #if canImport(Darwin)
            var thread: pthread_t?
        #else
            var thread = pthread_t()
        #endif
        let status = pthread_create(&thread, nil, { LoopThread.main($0) }, start.toOpaque())
        if status != 0 {
            start.release()
            throw UVError(.init(rawValue: -status), operation: "pthread_create")
        }
        #if canImport(Darwin)
            self.thread = thread!
        #else
            self.thread = thread
        #endif
    }

    #if canImport(Darwin)
        private static func main(_ context: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? {
            let start = Unmanaged<Start>.fromOpaque(context).takeRetainedValue()
            pthread_setname_np(start.name)
            start.body()
            return nil
        }
    #else
        private static func main(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
            let start = Unmanaged<Start>.fromOpaque(context!).takeRetainedValue()
            // The end tells the threads of a group apart. A thread without its name runs as well.
            var name = start.name
            while name.utf8.count > 15 { name.removeFirst() }
            _ = pthread_setname_np(pthread_self(), name)
            start.body()
            return nil
        }
    #endif

    /// Lets the thread go on by itself. Once, instead of ``join()``.
    func detach() {
        let status = pthread_detach(thread)
        if status != 0 { fatalError("pthread_detach failed with \(status)") }
    }

    /// Waits until the thread has ended. Once, and not from the thread itself.
    func join() {
        let status = pthread_join(thread, nil)
        if status != 0 { fatalError("pthread_join failed with \(status)") }
    }
}

/// Leaves signals that are for the process to its other threads. Those that a crash brings, and the one that Swift's
/// crash reports hold threads with, come through.
func blockSignals() {
    var set = sigset_t()
    sigemptyset(&set)
    for number in [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGALRM, SIGCHLD, SIGPIPE, SIGWINCH, SIGURG, SIGIO] {
        sigaddset(&set, number)
    }
    pthread_sigmask(SIG_BLOCK, &set, nil)
}

/// The thread that is running, as one word.
@inline(__always)
func currentThread() -> UInt {
    #if os(Linux)
        return UInt(pthread_self())
    #else
        return UInt(bitPattern: pthread_self())
    #endif
}
