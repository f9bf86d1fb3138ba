import CLibUV
import MonitoredUVPlatform

/// A named POSIX thread, which must be joined or detached.
struct LoopThread: Sendable {
    private let thread: Platform.Thread

    /// Starts a thread; debuggers and `top` show the last 15 bytes of `name` on Linux.
    init(name: String, _ body: @escaping @Sendable () -> Void) throws(UVError) {
        let (thread, error) = Platform.startThread(name: name, body)
        guard let thread else { throw UVError(.init(rawValue: -error), operation: "pthread_create") }
        self.thread = thread
    }

    /// Detaches the thread. Call this once, instead of ``join()``.
    func detach() {
        let status = Platform.detach(thread)
        if status != 0 { bug("pthread_detach failed with \(status)") }
    }

    /// Waits until the thread has ended. Call this once, and not from the thread itself.
    func join() {
        let status = Platform.join(thread)
        if status != 0 { bug("pthread_join failed with \(status)") }
    }
}

/// Leaves signals for the process to its other threads. The signals of crashes, and the one with which Swift's crash
/// reporter stops threads, are not blocked.
func blockSignals() {
    var set = sigset_t()
    sigemptyset(&set)
    for number in [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGALRM, SIGCHLD, SIGPIPE, SIGWINCH, SIGURG, SIGIO] {
        sigaddset(&set, number)
    }
    pthread_sigmask(SIG_BLOCK, &set, nil)
}

/// Returns the handle of the running thread, as one word.
@inline(__always)
func currentThread() -> UInt { word(pthread_self()) }

/// A number on Linux, a pointer elsewhere.
@inline(__always)
private func word<Handle>(_ handle: Handle) -> UInt { unsafeBitCast(handle, to: UInt.self) }
