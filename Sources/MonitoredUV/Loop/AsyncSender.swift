import CLibUV
import Synchronization

/// Wakes a loop from any thread through one `uv_async_t`, and is safe against closing the handle meanwhile.
///
/// The lock is held only around `uv_async_send`; the loop's thread takes it only to open and to close.
final class AsyncSender: Sendable {
    private let handle = Lock<UnsafeMutablePointer<uv_async_t>?>(nil)
    private let sent = Atomic<Int>(0)

    /// Directs sends to `raw` from now on.
    func open(_ raw: UnsafeMutablePointer<uv_async_t>) { handle.withLock { $0 = raw } }

    /// Detaches the handle. After this, no thread touches it, so it may be closed and freed.
    func close() { handle.withLock { $0 = nil } }

    /// The number of wake-ups.
    var count: Int { sent.load(ordering: .relaxed) }

    /// Wakes the loop; returns `false` if there is no handle.
    @discardableResult
    func send() -> Bool {
        handle.withLock { handle in
            guard let handle else { return false }
            UVError.require(uv_async_send(handle), "uv_async_send")
            sent.wrappingAdd(1, ordering: .relaxed)
            return true
        }
    }
}
