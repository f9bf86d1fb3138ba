/// Carries a value that belongs to a loop's thread through closures that other threads pass to that loop.
///
/// ```swift
/// let server = UVLoopBound(Server(on: loop), to: loop)
/// Thread.detachNewThread { loop.execute { server.value.close() } }
/// ```
///
/// The box may be passed and kept anywhere; its value is accessible only on the loop's thread. Binding a value hands it
/// over: references kept elsewhere are not checked. The thread that releases the box last frees the value, so a value
/// that must be freed on the loop needs another reference there.
public final class UVLoopBound<Value>: Sendable {
    private let shared: LoopShared
    // Accessed only after the thread check.
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
            // Freed only after the box holds the new value: freeing may run code that reads the box.
            let replaced = bound
            bound = newValue
            withExtendedLifetime(replaced) {}
        }
    }
}
