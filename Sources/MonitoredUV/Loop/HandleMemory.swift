import CLibUV
import MonitoredUVPlatform

/// Memory for the C structs of a loop's handles, from before libuv knows them until it reports that they are closed.
struct HandleMemory {
    /// A pool for timers, which are numerous and which libuv traverses in its heap.
    private let timers = isChecked ? nil : BlockPool(blockSize: MemoryLayout<uv_timer_t>.size)

    /// Whether AddressSanitizer is active, which would not detect the use of a pool's block after it was given back.
    private static let isChecked = dlsym(dlopen(nil, RTLD_LAZY), "__asan_init") != nil

    @inline(__always)
    func allocate<Raw>(_ type: Raw.Type) -> UnsafeMutablePointer<Raw> {
        if type == uv_timer_t.self, let timers { return timers.allocate().bindMemory(to: Raw.self, capacity: 1) }
        return .allocate(capacity: 1)
    }

    /// Frees memory that libuv did not initialize.
    func deallocate<Raw>(unused raw: UnsafeMutablePointer<Raw>) {
        if Raw.self == uv_timer_t.self, let timers { timers.deallocate(raw) } else { raw.deallocate() }
    }

    /// Frees the struct of a closed handle.
    func deallocate(_ raw: UnsafeMutablePointer<uv_handle_t>) {
        if raw.pointee.type == UV_TIMER, let timers { timers.deallocate(raw) } else { raw.deallocate() }
    }
}
