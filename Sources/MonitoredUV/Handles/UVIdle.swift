import CLibUV

/// Runs a closure once in each iteration, before the prepare hooks. While one is active the loop does not wait for I/O:
/// it spins. For work to be done soon, once, post it instead.
///
/// Hooks of one kind run in the reverse order of their start. The corresponding libuv type is `uv_idle_t`.
public final class UVIdle: UVHook {
    /// Makes a hook, not yet active, on `loop`, whose thread this must be.
    public init(
        on loop: UVEventLoop,
        name: DispatchName? = nil,
        file: StaticString = #fileID,
        line: UInt = #line,
        function: StaticString = #function,
        _ callback: @escaping () -> Void
    ) {
        super.init(loop, CallSite(name, file, line, function), callback, uv_idle_init, "uv_idle_init")
    }

    private var idle: UnsafeMutablePointer<uv_idle_t> { rawPointer() }

    override func startRaw() -> Int32 { uv_idle_start(idle) { UVHook.run($0) } }
    override func stopRaw() -> Int32 { uv_idle_stop(idle) }
}
