import CLibUV

/// The base class of idle, prepare, and check handles: a closure that runs once in each iteration of the loop while active.
public class UVHook: UVHandle {
    @exclusivity(unchecked) private final var callback: (() -> Void)?
    private final let site: CallbackName

    init<Raw>(
        _ loop: UVEventLoop,
        _ site: CallSite,
        _ callback: @escaping () -> Void,
        _ initialize: (UnsafeMutablePointer<uv_loop_t>, UnsafeMutablePointer<Raw>) -> Int32,
        _ operation: StaticString
    ) {
        self.callback = callback
        self.site = CallbackName(site.text)
        super.init(loop.core) { loop, raw in UVError.require(initialize(loop, raw), operation) }
    }

    /// Starts running the closure in every iteration. Traps on a closed handle.
    public final func start() {
        if requireOpen("start()") { UVError.require(startRaw(), "start") }
    }

    /// Stops running the closure; the hook can be started again.
    public final func stop() { if isOpenHere { UVError.require(stopRaw(), "stop") } }

    func startRaw() -> Int32 { bug("a hook does not override this") }
    func stopRaw() -> Int32 { bug("a hook does not override this") }

    /// Called by libuv through the subclass' C callback.
    @inline(__always)
    static func run<Raw>(_ raw: UnsafeMutablePointer<Raw>?) {
        withHandle(of: raw) { (hook: UVHook) in
            hook.core.dispatch(.hook, hook.dispatchName(hook.site), .notApplicable) { hook.callback?() }
        }
    }

    override final func dropCallbacks() { callback = nil }
    override final var registeredName: CallbackName { site }
}
