/// A thread that answers for the others, and is itself not watched.
package struct DiagnosticsThread: Sendable {
    private let thread: LoopThread

    /// Starts a thread, which leaves the process's signals to others.
    package init(name: String, _ body: @escaping @Sendable () -> Void) throws(UVError) {
        thread = try LoopThread(name: name) {
            blockSignals()
            Self.mark.value = Self.marker
            body()
        }
    }

    /// Waits until the thread has ended. Call this once, and not from the thread itself.
    package func join() { thread.join() }

    /// Detaches the thread. Call this once, instead of ``join()``.
    package func detach() { thread.detach() }

    /// Whether this thread is one.
    package static var isCurrent: Bool { mark.value != nil }

    private final class Marker: Sendable {}
    private static let marker = Marker()
    private static let mark = ThreadLocal<Marker>()
}
