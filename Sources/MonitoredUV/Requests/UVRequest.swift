/// A request under way that can be canceled by itself, as a lookup can.
///
/// It belongs to its loop's thread; use on any other traps. Letting go of it changes nothing.
///
/// The corresponding libuv type is `uv_req_t`.
public struct UVRequest {
    private let request: LoopRequest

    init(_ request: LoopRequest) { self.request = request }

    /// Ends the request for its caller: the completion is called once with ``UVError/Code/canceled``, in the loop's next
    /// iteration. The system may go on with the work, on a thread that nobody waits for. Does nothing if the request is over.
    ///
    /// The corresponding libuv function is `uv_cancel`.
    public func cancel() {
        request.core.preconditionOnOwnThread("UVRequest.cancel()")
        request.cancel()
    }
}
