#if canImport(Glibc)
    import Glibc
#endif

/// How long a thread has used a processor, and how long it was ready to and had to wait for one, in nanoseconds.
struct ThreadUsage: Equatable, Sendable {
    var running: UInt64
    var waitingToRun: UInt64

    static func - (later: ThreadUsage, earlier: ThreadUsage) -> ThreadUsage {
        ThreadUsage(
            running: later.running > earlier.running ? later.running - earlier.running : 0,
            waitingToRun: later.waitingToRun > earlier.waitingToRun ? later.waitingToRun - earlier.waitingToRun : 0
        )
    }
}

/// Reads the usage of one thread, from any: from Linux' `/proc/self/task/…/schedstat`. Elsewhere there is none to read.
final class ThreadUsageReader: Sendable {
    #if os(Linux)
        private let descriptor: Int32

        init(thread number: Int32) {
            descriptor = open("/proc/self/task/\(number)/schedstat", O_RDONLY | O_CLOEXEC)
        }

        deinit { if descriptor >= 0 { close(descriptor) } }

        /// `nil` if the thread is gone, or the system does not keep count.
        func read() -> ThreadUsage? {
            if descriptor < 0 { return nil }
            let text = withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 96) { buffer in
                let count = pread(descriptor, buffer.baseAddress, buffer.count, 0)
                return count > 0 ? String(decoding: buffer.prefix(count), as: UTF8.self) : ""
            }
            let fields = text.split(whereSeparator: { $0 == " " || $0 == "\n" }).compactMap { UInt64($0) }
            return fields.count >= 2 ? ThreadUsage(running: fields[0], waitingToRun: fields[1]) : nil
        }
    #else
        init(thread number: Int32) {}

        func read() -> ThreadUsage? { nil }
    #endif
}
