import CLibUV

/// Runs a closure in each iteration right after the callbacks of the I/O that the poll found.
///
/// Hooks of one kind run in the reverse order of their start. The corresponding libuv type is `uv_check_t`.
public final class UVCheck: UVHook {
    /// Makes a hook, not yet active, on `loop`, whose thread this must be.
    public init(
        on loop: UVEventLoop,
        name: DispatchName? = nil,
        file: StaticString = #fileID,
        line: UInt = #line,
        function: StaticString = #function,
        _ callback: @escaping () -> Void
    ) {
        super.init(loop, CallSite(name, file, line, function), callback, uv_check_init, "uv_check_init")
    }

    private var check: UnsafeMutablePointer<uv_check_t> { rawPointer() }

    override func startRaw() -> Int32 { uv_check_start(check) { UVHook.run($0) } }
    override func stopRaw() -> Int32 { uv_check_stop(check) }
}
