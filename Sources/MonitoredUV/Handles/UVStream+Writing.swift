internal import CLibUV

extension UVStream {
    /// Whether bytes can be written: connected and not shut down. The corresponding libuv function is `uv_is_writable`.
    public final var isWritable: Bool { isOpenHere && uv_is_writable(stream) != 0 }

    /// How many bytes wait for the kernel to take them. A program that stops producing above some size and goes on in a
    /// write's completion keeps its memory bounded, however slow the peer is.
    ///
    /// The corresponding libuv function is `uv_stream_get_write_queue_size`.
    public final var writeQueueSize: Int { isOpenHere ? uv_stream_get_write_queue_size(stream) : 0 }

    /// Writes all of `bytes`: what the kernel takes at once without a copy, the rest from a copy that the loop keeps until
    /// it is written. Writes go out in the order of the calls; those of a stream that is connecting wait for that.
    ///
    /// - Parameters:
    ///   - completion: Called once when everything is written, or can no longer be, always after this call has returned.
    ///     Without one, a failure after this call has returned shows on the reading side alone.
    /// - Throws: What is known at once, in which case nothing of `bytes` is kept and `completion` is not called:
    ///   ``UVError/Code/brokenPipe`` after a shutdown or a peer's close, ``UVError/Code/badFileDescriptor`` without a
    ///   connection, ``UVError/Code/connectionReset`` and others.
    ///
    /// The corresponding libuv functions are `uv_try_write` and `uv_write`.
    public final func write(
        _ bytes: RawSpan,
        file: StaticString = #fileID,
        line: UInt = #line,
        function: StaticString = #function,
        _ completion: ((UVError?) -> Void)? = nil
    ) throws(UVError) {
        let written = try tryWrite(bytes)
        if written == bytes.byteCount && completion == nil { return }
        try finishWrite(bytes, written, CallSite(file, line, function), completion)
    }

    /// Writes an array; see ``write(_:file:line:function:_:)-(RawSpan,_,_,_,_)``.
    public final func write(
        _ bytes: [UInt8],
        file: StaticString = #fileID,
        line: UInt = #line,
        function: StaticString = #function,
        _ completion: ((UVError?) -> Void)? = nil
    ) throws(UVError) {
        try write(bytes.span.bytes, file: file, line: line, function: function, completion)
    }

    /// Writes a text as UTF-8; see ``write(_:file:line:function:_:)-(RawSpan,_,_,_,_)``.
    public final func write(
        _ text: String,
        file: StaticString = #fileID,
        line: UInt = #line,
        function: StaticString = #function,
        _ completion: ((UVError?) -> Void)? = nil
    ) throws(UVError) {
        try write(text.utf8.span.bytes, file: file, line: line, function: function, completion)
    }

    /// Writes several arrays as one, without joining them first; see ``write(_:file:line:function:_:)-(RawSpan,_,_,_,_)``.
    public final func write(
        _ buffers: [[UInt8]],
        file: StaticString = #fileID,
        line: UInt = #line,
        function: StaticString = #function,
        _ completion: ((UVError?) -> Void)? = nil
    ) throws(UVError) {
        let total = buffers.reduce(0) { $0 + $1.count }
        let written = try tryWrite(buffers)
        if written == total && completion == nil { return }
        let rest = Array(buffers.joined().dropFirst(written))
        try finishWrite(rest.span.bytes, 0, CallSite(file, line, function), completion)
    }

    /// Writes what the kernel takes at once, and keeps nothing: returns the number of bytes written, 0 where earlier
    /// writes still wait.
    ///
    /// Throws what ``write(_:file:line:function:_:)-(RawSpan,_,_,_,_)`` throws. The corresponding libuv function is
    /// `uv_try_write`.
    public final func tryWrite(_ bytes: RawSpan) throws(UVError) -> Int {
        try checkWritable("uv_try_write")
        let status = bytes.withUnsafeBytes { source in
            withUnsafePointer(to: uv_buf_t(source)) { uv_try_write(stream, $0, 1) }
        }
        return try UVStream.count(status)
    }

    /// The same for several arrays in one system call; at most the first 256 are tried.
    public final func tryWrite(_ buffers: [[UInt8]]) throws(UVError) -> Int {
        try checkWritable("uv_try_write")
        let status = UVStream.withBuffers(buffers.prefix(256)[...], []) { uv_try_write(stream, $0, UInt32($0.count)) }
        return try UVStream.count(status)
    }

    @inline(__always)
    private static func count(_ status: Int32) throws(UVError) -> Int {
        if status == UV_EAGAIN.rawValue { return 0 }
        return Int(try UVError.check(status, "uv_try_write"))
    }

    /// Holds all arrays' memory at once, one call deep for each.
    private static func withBuffers(
        _ rest: ArraySlice<[UInt8]>,
        _ held: [uv_buf_t],
        _ body: ([uv_buf_t]) -> Int32
    ) -> Int32 {
        guard let first = rest.first else { return held.isEmpty ? 0 : body(held) }
        return first.withUnsafeBytes { withBuffers(rest.dropFirst(), held + [uv_buf_t($0)], body) }
    }

    /// Queues a copy of what was not written at once, or posts the completion if all was.
    @inline(never)
    private final func finishWrite(
        _ bytes: RawSpan,
        _ written: Int,
        _ site: CallSite,
        _ completion: ((UVError?) -> Void)?
    ) throws(UVError) {
        let rest = bytes.byteCount - written
        if rest == 0 {
            if let completion { post(.write, site) { completion(nil) } }
            return
        }
        try StreamRequest.start(.write, "uv_write", on: self, site, extraBytes: rest, completion) { request, memory in
            bytes.withUnsafeBytes { memory.copyMemory(from: $0.baseAddress! + written, byteCount: rest) }
            let copy = UnsafeRawBufferPointer(start: memory, count: rest)
            return withUnsafePointer(to: uv_buf_t(copy)) {
                uv_write(request, stream, $0, 1) { StreamRequest.finish($0, $1) }
            }
        }
    }
}

extension uv_buf_t {
    /// For writing: libuv does not change what the buffer points to.
    fileprivate init(_ bytes: UnsafeRawBufferPointer) {
        let base = UnsafeMutableRawPointer(mutating: bytes.baseAddress)
        self.init(base: base?.assumingMemoryBound(to: CChar.self), len: bytes.count)
    }
}
