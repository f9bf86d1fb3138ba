import CLibUV
import MonitoredUVPlatform

/// Nanoseconds of the monotonic clock that libuv's timers run on.
///
/// Each loop has its own clock, because the memory that the system writes to must not be on the stack: that would add a
/// stack guard to every function that reads the clock.
struct MonotonicClock {
    #if os(Linux)
        private let time = UnsafeMutablePointer<timespec>.allocate(capacity: 1)

        func free() { time.deallocate() }

        /// Reads `CLOCK_MONOTONIC`, as `uv_hrtime` does, but without its detours. The loop's thread only.
        @inline(__always)
        func now() -> UInt64 {
            clock_gettime(CLOCK_MONOTONIC, time)
            let seconds = UInt64(bitPattern: Int64(time.pointee.tv_sec))
            return seconds &* 1_000_000_000 &+ UInt64(bitPattern: Int64(time.pointee.tv_nsec))
        }
    #else
        @inline(__always)
        func now() -> UInt64 { uv_hrtime() }

        func free() {}
    #endif

    /// Reads the clock from any thread.
    static func read() -> UInt64 { uv_hrtime() }
}

extension Duration {
    /// The duration in nanoseconds, rounded up. Negative durations become 0, and those that do not fit become the
    /// largest that libuv can add to.
    var nanosecondsClamped: UInt64 {
        // Up to 18 seconds: dividing wider values is slow.
        if let attoseconds = UInt64(exactly: attoseconds) {
            return attoseconds / 1_000_000_000 + (attoseconds % 1_000_000_000 == 0 ? 0 : 1)
        }
        if self <= .zero { return 0 }
        if self >= .seconds(4_000_000_000) { return 4_000_000_000_000_000_000 }  // components would trap far beyond
        let (seconds, attoseconds) = components
        return UInt64(seconds) * 1_000_000_000 + UInt64((attoseconds + 999_999_999) / 1_000_000_000)
    }

    @inline(__always)
    init(nanoseconds: UInt64) { self = .nanoseconds(Int64(bitPattern: nanoseconds)) }
}
