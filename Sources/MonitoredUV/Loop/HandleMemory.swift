import CLibUV
import MonitoredUVPlatform

/// Memory for the C structs of a loop's handles, from before libuv knows them until it has called back that they are
/// closed.
struct HandleMemory {
    /// Timers come in great numbers, and libuv walks from one to the other in its heap of them.
    private let timers = isChecked ? nil : BlockPool(blockSize: MemoryLayout<uv_timer_t>.size)

    /// Under AddressSanitizer, which would not see that a block of a pool is used after it was given back.
    private static let isChecked = dlsym(dlopen(nil, RTLD_LAZY), "__asan_init") != nil

    @inline(__always)
    func allocate<Raw>(_ type: Raw.Type) -> UnsafeMutablePointer<Raw> {
        if type == uv_timer_t.self, let timers { return timers.allocate().bindMemory(to: Raw.self, capacity: 1) }
        return .allocate(capacity: 1)
    }

    /// Takes back what libuv did not initialize.
    func deallocate<Raw>(unused raw: UnsafeMutablePointer<Raw>) {
        if Raw.self == uv_timer_t.self, let timers { timers.deallocate(raw) } else { raw.deallocate() }
    }

    /// Takes back the struct of a handle that is closed.
    func deallocate(_ raw: UnsafeMutablePointer<uv_handle_t>) {
        if raw.pointee.type == UV_TIMER, let timers { timers.deallocate(raw) } else { raw.deallocate() }
    }
}
