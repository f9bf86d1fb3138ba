internal import CLibUV

/// One connect, write or shutdown under way: the C request, what it keeps alive, and whom to tell.
///
/// libuv holds it from a successful start until the callback, which comes exactly once, also when the handle closes.
final class StreamRequest {
    private let raw: UnsafeMutableRawPointer
    private let stream: UVStream
    private let kind: CallbackKind
    private let operation: StaticString
    private let site: CallSite
    private let extraBytes: Int
    private var completion: ((UVError?) -> Void)?

    /// Starts the request: `start` gets the C request, followed by `extraBytes` of memory that live as long.
    static func start<Raw>(
        _ kind: CallbackKind,
        _ operation: StaticString,
        on stream: UVStream,
        _ site: CallSite,
        extraBytes: Int = 0,
        _ completion: ((UVError?) -> Void)?,
        _ start: (UnsafeMutablePointer<Raw>, UnsafeMutableRawPointer) -> Int32
    ) throws(UVError) {
        let header = (MemoryLayout<Raw>.size + 15) & ~15
        let raw = UnsafeMutableRawPointer.allocate(byteCount: header + extraBytes, alignment: 16)
        let status = start(raw.assumingMemoryBound(to: Raw.self), raw + header)
        if status < 0 { raw.deallocate() }
        try UVError.check(status, operation)
        let request = StreamRequest(raw, stream, kind, operation, site, extraBytes, completion)
        raw.assumingMemoryBound(to: uv_req_t.self).pointee.data = Unmanaged.passRetained(request).toOpaque()
        stream.core.requestBegan(raw.assumingMemoryBound(to: uv_req_t.self).pointee.type)
        stream.core.queuedBytes += extraBytes
    }

    private init(
        _ raw: UnsafeMutableRawPointer,
        _ stream: UVStream,
        _ kind: CallbackKind,
        _ operation: StaticString,
        _ site: CallSite,
        _ extraBytes: Int,
        _ completion: ((UVError?) -> Void)?
    ) {
        self.raw = raw
        self.stream = stream
        self.kind = kind
        self.operation = operation
        self.site = site
        self.extraBytes = extraBytes
        self.completion = completion
    }

    /// What libuv's three callbacks come down to. libuv never calls them from within the starting function.
    static func finish<Raw>(_ raw: UnsafeMutablePointer<Raw>?, _ status: Int32) {
        let request = UnsafeMutableRawPointer(raw!).assumingMemoryBound(to: uv_req_t.self)
        Unmanaged<StreamRequest>.fromOpaque(request.pointee.data).takeRetainedValue().finish(status)
    }

    private func finish(_ status: Int32) {
        let core = stream.core
        core.requestEnded(raw.assumingMemoryBound(to: uv_req_t.self).pointee.type)
        core.queuedBytes -= extraBytes
        raw.deallocate()
        if kind == .connect { stream.isConnecting = false }
        if completion == nil || core.isTearingDown { return core.recorder.stampLoopCode() }
        let error = UVError.of(status, operation)
        // A request that its handle's close canceled was ready with that; all others wait for the kernel.
        let canceledAt = stream.isEnding ? stream.closeRequested : nil
        if stream.pendingPosts > 0 {
            return stream.post(kind, site, readySince: canceledAt) { [self] in complete(error) }
        }
        let readiness: Readiness = canceledAt.map { .exact($0, .completion) } ?? .io(stream.raw)
        core.dispatch(kind, stream.dispatchName(core.recorder.name(of: site)), readiness) { complete(error) }
    }

    /// Runs within the request's dispatch, which includes releasing the closure.
    private func complete(_ error: UVError?) {
        let completion = self.completion
        self.completion = nil
        completion?(error)
    }
}
