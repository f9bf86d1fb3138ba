import CLibUV

/// Runs a closure once in each iteration, before the prepare hooks. While an idle hook is active, the loop does not
/// wait for I/O: it spins. To run work once, soon, post it instead.
///
/// Hooks of one kind run in the reverse of the order in which they were started. The corresponding libuv type is
/// `uv_idle_t`.
public final class UVIdle: UVHook {
    /// Creates an inactive hook on `loop`, whose thread this must be.
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
