internal import CLibUV
import Synchronization

/// Wakes a loop from any thread through one `uv_async_t`, and is safe against the handle's closing.
///
/// The lock is held around `uv_async_send` alone; the loop's thread takes it only to open and to close.
final class AsyncSender: Sendable {
    private let handle = Mutex<Handle?>(nil)
    private let sent = Atomic<Int>(0)

    /// `@unchecked Sendable`: `uv_async_send` is libuv's one function for any thread, and the only one called on it here.
    private struct Handle: @unchecked Sendable { let raw: UnsafeMutablePointer<uv_async_t> }

    /// Sends go to `raw` from now on.
    func open(_ raw: UnsafeMutablePointer<uv_async_t>) {
        let handle = Handle(raw: raw)
        self.handle.withLock { $0 = handle }
    }

    /// After this no thread touches the handle, so it may be closed and freed.
    func close() { handle.withLock { $0 = nil } }

    /// How many times the loop was woken.
    var count: Int { sent.load(ordering: .relaxed) }

    /// Wakes the loop; `false` while there is no handle.
    @discardableResult
    func send() -> Bool {
        handle.withLock { handle in
            guard let handle else { return false }
            UVError.require(uv_async_send(handle.raw), "uv_async_send")
            sent.wrappingAdd(1, ordering: .relaxed)
            return true
        }
    }
}
