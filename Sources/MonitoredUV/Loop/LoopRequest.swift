import CLibUV

/// The base class of requests: one-time operations on a loop, each with one callback.
///
/// The loop counts an open request and retains it. When the loop is shut down, a request is canceled; when the loop is
/// freed without a close, it is dropped and does not call back. Loop thread only.
class LoopRequest: OpenRequest {
    final let core: LoopCore
    final let kind: CallbackKind
    final let site: CallSite
    /// libuv's number for the kind of request.
    private final let type: uv_req_type

    init(_ core: LoopCore, _ type: uv_req_type, _ kind: CallbackKind, _ site: CallSite) {
        self.core = core
        self.type = type
        self.kind = kind
        self.site = site
    }

    /// Marks the request as open.
    final func begin() {
        core.members.requests.add(self)
        core.members.requestBalance.created += 1
        core.vitals.requests.add(1, Int(type.rawValue))
    }

    /// Marks the request as ended; returns `false` if it already was.
    final func end() -> Bool {
        guard leaveList() else { return false }
        core.members.requestBalance.freed += 1
        core.vitals.requests.add(-1, Int(type.rawValue))
        return true
    }

    /// Calls back as a dispatch, with `body`, which also releases the completion.
    @inline(__always)
    final func dispatch(_ readiness: Readiness, name: CallbackName? = nil, _ body: () -> Void) {
        core.dispatch(kind, name ?? core.recorder.name(of: site), readiness, body)
    }
}
