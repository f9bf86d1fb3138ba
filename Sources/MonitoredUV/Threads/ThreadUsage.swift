import MonitoredUVPlatform

/// The time that a thread has used a processor, and the time that it had to wait for one, in nanoseconds.
struct ThreadUsage: Equatable, Sendable {
    var running: UInt64
    /// The time waited until the thread last ran. Excludes a wait in progress, and the time that a hypervisor has
    /// taken.
    var waitingToRun: UInt64
    /// The number of times that the thread has gone to sleep.
    var sleeps: UInt64 = 0
    /// Whether the thread is running or ready to run.
    var isRunnable = false

    static func - (later: ThreadUsage, earlier: ThreadUsage) -> ThreadUsage {
        ThreadUsage(
            running: later.running > earlier.running ? later.running - earlier.running : 0,
            waitingToRun: later.waitingToRun > earlier.waitingToRun ? later.waitingToRun - earlier.waitingToRun : 0,
            sleeps: later.sleeps > earlier.sleeps ? later.sleeps - earlier.sleeps : 0,
            isRunnable: later.isRunnable
        )
    }
}

/// Reads the usage of one thread, on any thread, from Linux's `schedstat` and `status` in `/proc/self/task`. There is
/// none to read on other systems.
final class ThreadUsageReader: Sendable {
    #if os(Linux)
        private let schedstat: Int32
        private let status: Int32

        /// Creates a reader from descriptors of the two files, which remain the caller's.
        init(schedstat: Int32, status: Int32) {
            self.schedstat = schedstat
            self.status = status
        }

        /// Returns the usage; `nil` if the thread is gone, or the system does not count it.
        func read() -> ThreadUsage? {
            if schedstat < 0 { return nil }
            let text = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 96) { buffer in
                let count = pread(schedstat, buffer.baseAddress, buffer.count, 0)
                return count > 0 ? String(decoding: buffer.prefix(count), as: UTF8.self) : ""
            }
            let fields = text.split(whereSeparator: { $0 == " " || $0 == "\n" }).compactMap { UInt64($0) }
            guard fields.count >= 2 else { return nil }
            var usage = ThreadUsage(running: fields[0], waitingToRun: fields[1])
            withUnsafeTemporaryAllocation(of: CChar.self, capacity: 16 * 1024) { buffer in
                let count = status < 0 ? 0 : pread(status, buffer.baseAddress, buffer.count - 1, 0)
                buffer[max(count, 0)] = 0
                let text = buffer.baseAddress!
                if let state = strstr(text, "State:\t") { usage.isRunnable = state[7] == CChar(UInt8(ascii: "R")) }
                let label = "\nvoluntary_ctxt_switches:"
                if let sleeps = strstr(text, label) {
                    usage.sleeps = UInt64(strtoull(sleeps + label.utf8.count, nil, 10))
                }
            }
            return usage
        }
    #else
        init(schedstat: Int32, status: Int32) {}

        func read() -> ThreadUsage? { nil }
    #endif
}
