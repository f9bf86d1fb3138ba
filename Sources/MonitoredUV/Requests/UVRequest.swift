/// An operation in progress that can be canceled on its own: a lookup, or a connection to a host.
///
/// It belongs to its loop's thread; using it on any other thread traps. Releasing it does not cancel the operation.
///
/// The corresponding libuv type is `uv_req_t`.
public struct UVRequest {
    private let core: LoopCore
    private let end: () -> Void

    init(_ core: LoopCore, _ cancel: @escaping () -> Void) {
        self.core = core
        end = cancel
    }

    /// Cancels the request: the completion is called once with ``UVError/Code/canceled``, in the loop's next iteration.
    /// A lookup may continue in the background. Does nothing if the request has completed.
    ///
    /// The corresponding libuv function is `uv_cancel`.
    public func cancel() {
        core.preconditionOnOwnThread("UVRequest.cancel()")
        end()
    }
}
