internal import CMonitoredUV

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The thread that runs a loop, for the one who looks at it from outside.
final class WatchedThread: Sendable {
    private let thread: UInt
    private let number: Int32
    private let range: muv_stack_range
    let usage: ThreadUsageReader

    /// This thread; `nil` where the system cannot tell about it.
    init?() {
        var range = muv_stack_range()
        var number: Int32 = 0
        guard muv_stack_is_supported(), muv_stack_this_thread(&range, &number) else { return nil }
        thread = currentThread()
        self.number = number
        self.range = range
        muv_stack_make_alternate()
        usage = ThreadUsageReader(thread: number)
    }

    /// The system gives a new thread the handle of one that is gone, but another number.
    var isThisThread: Bool { thread == currentThread() && number == muv_thread_number() }

    /// One at a time; the value counts them.
    private static let captures = Lock(0)

    /// Copies the thread's stack; `false` if it does not answer. The thread must not end meanwhile.
    func capture(into stack: UnsafeMutablePointer<muv_stack>) -> Bool {
        Self.captures.withLock { captures in
            captures += 1
            return muv_stack_capture(thread, range, 100, stack)
        }
    }
}
