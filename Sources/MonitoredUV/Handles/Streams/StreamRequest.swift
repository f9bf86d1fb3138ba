import CLibUV

/// A connect, write, or shutdown in progress.
final class StreamRequest: RawRequest {
    private let stream: UVStream
    private let operation: StaticString
    private let extraBytes: Int
    private var completion: ((UVError?) -> Void)?

    /// Starts the request. `start` receives the C request and `extraBytes` of memory with the same lifetime.
    static func start<Raw>(
        _ kind: CallbackKind,
        _ operation: StaticString,
        on stream: UVStream,
        _ site: CallSite,
        extraBytes: Int = 0,
        _ completion: ((UVError?) -> Void)?,
        _ start: (UnsafeMutablePointer<Raw>, UnsafeMutableRawPointer) -> Int32
    ) throws(UVError) {
        let raw = try RawRequest.start(operation, extraBytes: extraBytes, start)
        _ = StreamRequest(raw, stream, kind, operation, site, extraBytes, completion)
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
        self.stream = stream
        self.operation = operation
        self.extraBytes = extraBytes
        self.completion = completion
        stream.core.streams.queuedBytes += extraBytes
        super.init(started: raw, stream.core, kind, site)
    }

    override func finish(_ status: Int32) {
        core.streams.queuedBytes -= extraBytes
        if kind == .connect { stream.isConnecting = false }
        if completion == nil || core.shutdown.isTearingDown { return core.recorder.stampLoopCode() }
        let error = UVError.of(status, operation)
        // A request that its handle's close canceled became ready at that time; all others wait for the kernel.
        let canceledAt = stream.closeRequested
        if stream.pendingPosts > 0 {
            return stream.post(kind, site, readySince: canceledAt) { [self] in complete(error) }
        }
        let readiness: Readiness = canceledAt.map { .exact($0, .completion) } ?? .io(stream.raw)
        dispatch(readiness, name: stream.dispatchName(core.recorder.name(of: site))) { complete(error) }
    }

    /// Runs within the request's dispatch, which includes releasing the closure.
    private func complete(_ error: UVError?) {
        let completion = self.completion
        self.completion = nil
        completion?(error)
    }
}
