import CLibUV

/// Runs a closure in each iteration right after the callbacks for the I/O that the poll found.
///
/// Hooks of one kind run in the reverse of the order in which they were started. The corresponding libuv type is
/// `uv_check_t`.
public final class UVCheck: UVHook {
    /// Creates an inactive hook on `loop`, whose thread this must be.
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
