/// Carries what belongs to a loop's thread through closures that other threads hand to that loop.
///
/// ```swift
/// let server = UVLoopBound(Server(on: loop), to: loop)
/// Thread.detachNewThread { loop.execute { server.value.close() } }
/// ```
///
/// The box may be passed and kept anywhere; what is in it can be reached on the loop's thread alone. Whoever binds a
/// value hands it over: a reference kept elsewhere is not checked. The value is freed by whichever thread lets go of
/// the box last, so one that must be freed on the loop needs a reference there as well.
public final class UVLoopBound<Value>: Sendable {
    private let shared: LoopShared
    // Reached after that check alone.
    nonisolated(unsafe) private var bound: Value

    /// Binds `value` to `loop`, whose thread this must be.
    public init(_ value: Value, to loop: UVEventLoop) {
        loop.shared.preconditionOnOwnThread("UVLoopBound")
        shared = loop.shared
        bound = value
    }

    /// The value. Traps on any thread but the loop's.
    public var value: Value {
        get {
            shared.preconditionOnOwnThread("UVLoopBound.value")
            return bound
        }
        set {
            shared.preconditionOnOwnThread("UVLoopBound.value")
            // Freed when the box is whole again: that may run code which looks into it.
            let replaced = bound
            bound = newValue
            withExtendedLifetime(replaced) {}
        }
    }
}
