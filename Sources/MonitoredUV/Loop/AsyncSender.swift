import CLibUV
import Synchronization

/// Wakes a loop from any thread through one `uv_async_t`, and is safe against the handle's closing.
///
/// The lock is held around `uv_async_send` alone; the loop's thread takes it only to open and to close.
final class AsyncSender: Sendable {
    private let handle = Lock<UnsafeMutablePointer<uv_async_t>?>(nil)
    private let sent = Atomic<Int>(0)

    /// Sends go to `raw` from now on.
    func open(_ raw: UnsafeMutablePointer<uv_async_t>) { handle.withLock { $0 = raw } }

    /// After this no thread touches the handle, so it may be closed and freed.
    func close() { handle.withLock { $0 = nil } }

    /// The number of wake-ups.
    var count: Int { sent.load(ordering: .relaxed) }

    /// Wakes the loop; `false` while there is no handle.
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
