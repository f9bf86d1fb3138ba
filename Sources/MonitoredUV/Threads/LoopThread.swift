import CLibUV
import MonitoredUVPlatform

/// A POSIX thread with a name, that somebody joins or detaches.
struct LoopThread: Sendable {
    private let thread: Platform.Thread

    /// Starts a thread; debuggers and `top` show the last 15 bytes of `name` on Linux.
    init(name: String, _ body: @escaping @Sendable () -> Void) throws(UVError) {
        let (thread, error) = Platform.startThread(name: name, body)
        guard let thread else { throw UVError(.init(rawValue: -error), operation: "pthread_create") }
        self.thread = thread
    }

    /// Lets the thread go on by itself. Once, instead of ``join()``.
    func detach() {
        let status = Platform.detach(thread)
        if status != 0 { fatalError("pthread_detach failed with \(status)") }
    }

    /// Waits until the thread has ended. Once, and not from the thread itself.
    func join() {
        let status = Platform.join(thread)
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
func currentThread() -> UInt { word(pthread_self()) }

/// A number on Linux, a pointer elsewhere.
@inline(__always)
private func word<Handle>(_ handle: Handle) -> UInt { unsafeBitCast(handle, to: UInt.self) }
