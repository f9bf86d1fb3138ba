import CLibUV
import MonitoredUVPlatform

/// Nanoseconds of the monotonic clock that libuv's timers run on.
///
/// A clock of its own for each loop, because the memory that the system writes to must not lie on the stack: that would
/// put a stack guard into every function that reads the clock.
struct MonotonicClock {
    #if os(Linux)
        private let time = UnsafeMutablePointer<timespec>.allocate(capacity: 1)

        func free() { time.deallocate() }

        /// `CLOCK_MONOTONIC`, as `uv_hrtime` reads it, without its detours. The loop's thread alone.
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
    /// Nanoseconds, rounded up; negative becomes 0, and what does not fit becomes the largest that libuv can add to.
    var nanosecondsClamped: UInt64 {
        // Up to 18 seconds; to divide what is wider takes long.
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
