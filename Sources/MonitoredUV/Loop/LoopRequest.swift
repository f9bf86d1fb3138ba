import CLibUV

/// The base class of requests: something that was asked of a loop once, and for which it calls back once.
///
/// The loop counts an open request and keeps it alive. When the loop is shut down, a request is canceled; when the loop is
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

    /// The request is open from now on.
    final func begin() {
        core.members.requests.add(self)
        core.members.requestBalance.created += 1
        core.vitals.requests.add(1, Int(type.rawValue))
    }

    /// Nothing works on the request any more; `false` if it was over already.
    final func end() -> Bool {
        guard leaveList() else { return false }
        core.members.requestBalance.freed += 1
        core.vitals.requests.add(-1, Int(type.rawValue))
        return true
    }

    /// Calls back as a dispatch, with `body`, which lets go of the completion as well.
    @inline(__always)
    final func dispatch(_ readiness: Readiness, name: CallbackName? = nil, _ body: () -> Void) {
        core.dispatch(kind, name ?? core.recorder.name(of: site), readiness, body)
    }
}
