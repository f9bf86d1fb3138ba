import CLibUV

/// A request that libuv works on, with its C struct, which libuv uses from a successful start until it calls back.
class RawRequest: LoopRequest {
    private final let raw: UnsafeMutableRawPointer

    /// Returns the memory of a C request that `start` has started. `start` also receives `extraBytes` of memory with
    /// the same lifetime.
    static func start<Raw>(
        _ operation: StaticString,
        extraBytes: Int = 0,
        _ start: (UnsafeMutablePointer<Raw>, UnsafeMutableRawPointer) -> Int32
    ) throws(UVError) -> UnsafeMutableRawPointer {
        let header = (MemoryLayout<Raw>.size + 15) & ~15
        let raw = UnsafeMutableRawPointer.allocate(byteCount: header + extraBytes, alignment: 16)
        let status = start(raw.assumingMemoryBound(to: Raw.self), raw + header)
        if status < 0 { raw.deallocate() }
        try UVError.check(status, operation)
        return raw
    }

    /// Takes over a C request that was just started: libuv never calls back from within a starting function.
    init(started raw: UnsafeMutableRawPointer, _ core: LoopCore, _ kind: CallbackKind, _ site: CallSite) {
        self.raw = raw
        let request = raw.assumingMemoryBound(to: uv_req_t.self)
        super.init(core, request.pointee.type, kind, site)
        request.pointee.data = Unmanaged.passUnretained(self).toOpaque()
        begin()
    }

    /// Ends the request. Every libuv callback of a request leads here.
    static func finish<Raw>(_ raw: UnsafeMutablePointer<Raw>?, _ status: Int32) {
        let data = UnsafeMutableRawPointer(raw!).assumingMemoryBound(to: uv_req_t.self).pointee.data!
        let request = Unmanaged<RawRequest>.fromOpaque(data).takeUnretainedValue()
        _ = request.end()
        if _slowPath(request.core.activity.isIdle) { request.core.stopIdling() }
        request.finish(status)
        request.raw.deallocate()
    }

    /// Called after libuv has called back, for requests to call back in turn, unless the loop is being torn down. This
    /// is the last chance to read the C struct.
    func finish(_ status: Int32) {}
}
