import CLibUV

/// Runs a closure in each iteration right before the loop polls for I/O.
///
/// Hooks of one kind run in the reverse of the order in which they were started. The corresponding libuv type is
/// `uv_prepare_t`.
public final class UVPrepare: UVHook {
    /// Creates an inactive hook on `loop`, whose thread this must be.
    public init(
        on loop: UVEventLoop,
        name: DispatchName? = nil,
        file: StaticString = #fileID,
        line: UInt = #line,
        function: StaticString = #function,
        _ callback: @escaping () -> Void
    ) {
        super.init(loop, CallSite(name, file, line, function), callback, uv_prepare_init, "uv_prepare_init")
    }

    private var prepare: UnsafeMutablePointer<uv_prepare_t> { rawPointer() }

    override func startRaw() -> Int32 { uv_prepare_start(prepare) { UVHook.run($0) } }
    override func stopRaw() -> Int32 { uv_prepare_stop(prepare) }
}
