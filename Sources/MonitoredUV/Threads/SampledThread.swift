import CMonitoredUV
import MonitoredUVPlatform

/// The thread that runs a loop, as seen by the thread that samples it.
final class SampledThread: Sendable {
    private let thread: UInt
    private let number: Int32
    private let range: muv_stack_range
    private let files: muv_thread_files
    let usage: ThreadUsageReader
    /// Whether there were no descriptors left for its files.
    let lacksFiles: Bool

    /// Creates the representation of this thread; `nil` if the system does not provide the information.
    init?() {
        var range = muv_stack_range()
        var number: Int32 = 0
        guard muv_stack_this_thread(&range, &number) else { return nil }
        thread = currentThread()
        self.number = number
        self.range = range
        muv_stack_make_alternate()
        let folder = "/proc/self/task/\(number)/"
        files = muv_thread_files(
            syscall: open(folder + "syscall", O_RDONLY | O_CLOEXEC),
            schedstat: open(folder + "schedstat", O_RDONLY | O_CLOEXEC),
            status: open(folder + "status", O_RDONLY | O_CLOEXEC)
        )
        let hasRoom = files.syscall >= 0 && files.status >= 0 && files.schedstat >= 0
        lacksFiles = !hasRoom && (errno == EMFILE || errno == ENFILE)
        usage = ThreadUsageReader(schedstat: files.schedstat, status: files.status)
    }

    deinit {
        for file in [files.syscall, files.schedstat, files.status] where file >= 0 { close(file) }
    }

    /// Whether this is the running thread. A new thread may have the handle of one that is gone, but has another
    /// number.
    var isThisThread: Bool { thread == currentThread() && number == muv_thread_number() }

    /// Begins a copy of the thread's stack, which is taken step by step.
    ///
    /// - Parameter usage: The usage from an earlier sample, which may show at once that the thread is on CPU.
    func capture(into stack: UnsafeMutablePointer<muv_stack>, since usage: ThreadUsage? = nil) -> muv_capture {
        var capture = muv_capture()
        muv_capture_begin(&capture, thread, range, files, stack)
        if let usage, usage.isRunnable {
            capture.was_running = true
            capture.since = MonotonicClock.read()
            capture.ran = usage.running
            capture.sleeps = usage.sleeps
        }
        return capture
    }
}
