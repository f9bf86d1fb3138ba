import CLibUV

extension UVStream {
    /// Whether bytes can be written: the stream is connected and was not shut down. The corresponding libuv function is
    /// `uv_is_writable`.
    public final var isWritable: Bool { isOpenHere && uv_is_writable(stream) != 0 }

    /// The number of bytes waiting for the kernel to take them. To bound memory however slow the peer is, stop
    /// producing above some size and continue in a write's completion.
    ///
    /// The corresponding libuv function is `uv_stream_get_write_queue_size`.
    public final var writeQueueSize: Int { isOpenHere ? uv_stream_get_write_queue_size(stream) : 0 }

    /// Writes all of `bytes`. The bytes that the kernel takes at once are not copied; the loop keeps a copy of the rest
    /// until it is written. Writes go out in the order of the calls; writes to a stream that is connecting wait for the
    /// connection.
    ///
    /// - Parameters:
    ///   - bytes: Borrowed for the call.
    ///   - name: The name of the dispatches; by default the place of the call.
    ///   - file: The file of the call.
    ///   - line: The line of the call.
    ///   - function: The function of the call.
    ///   - completion: Called once when everything has been written, or no longer can be, always after this call has
    ///     returned. Without a completion, a failure after this call has returned shows only on the reading side.
    /// - Throws: Errors known at once, in which case no more of `bytes` is sent and `completion` is not called:
    ///   ``UVError/Code/brokenPipe`` after a shutdown or a peer's close, ``UVError/Code/badFileDescriptor`` without a
    ///   connection, ``UVError/Code/connectionReset`` and others.
    ///
    /// The corresponding libuv functions are `uv_try_write` and `uv_write`.
    public final func write(
        _ bytes: RawSpan,
        name: DispatchName? = nil,
        file: StaticString = #fileID,
        line: UInt = #line,
        function: StaticString = #function,
        _ completion: ((UVError?) -> Void)? = nil
    ) throws(UVError) {
        let taken = try attemptWrite(bytes)
        if taken == bytes.byteCount && completion == nil { return }
        let written = max(taken, 0)
        try finishWrite(taken, of: bytes.byteCount, CallSite(name, file, line, function), completion) { memory in
            bytes.withUnsafeBytes { bytes in
                guard let start = bytes.baseAddress else { return }
                memory.copyMemory(from: start + written, byteCount: bytes.count - written)
            }
        }
    }

    /// Writes an array; see ``write(_:name:file:line:function:_:)-(RawSpan,_,_,_,_,_)``.
    public final func write(
        _ bytes: [UInt8],
        name: DispatchName? = nil,
        file: StaticString = #fileID,
        line: UInt = #line,
        function: StaticString = #function,
        _ completion: ((UVError?) -> Void)? = nil
    ) throws(UVError) {
        let result = bytes.withUnsafeBytes { bytes in
            Result { () throws(UVError) in
                try write(bytes.bytes, name: name, file: file, line: line, function: function, completion)
            }
        }
        try result.get()
    }

    /// Writes a copy of a slice, `Data`, or another collection of bytes; see
    /// ``write(_:name:file:line:function:_:)-(RawSpan,_,_,_,_,_)``.
    public final func write(
        _ bytes: some Collection<UInt8>,
        name: DispatchName? = nil,
        file: StaticString = #fileID,
        line: UInt = #line,
        function: StaticString = #function,
        _ completion: ((UVError?) -> Void)? = nil
    ) throws(UVError) {
        try write(Array(bytes), name: name, file: file, line: line, function: function, completion)
    }

    /// Writes a string as UTF-8; see ``write(_:name:file:line:function:_:)-(RawSpan,_,_,_,_,_)``.
    public final func write(
        _ text: String,
        name: DispatchName? = nil,
        file: StaticString = #fileID,
        line: UInt = #line,
        function: StaticString = #function,
        _ completion: ((UVError?) -> Void)? = nil
    ) throws(UVError) {
        var text = text
        let result = text.withUTF8 { utf8 in
            Result { () throws(UVError) in
                let bytes = UnsafeRawBufferPointer(utf8)
                try write(bytes.bytes, name: name, file: file, line: line, function: function, completion)
            }
        }
        try result.get()
    }

    /// Writes what the kernel takes at once, without queuing the rest. Returns the number of bytes written, 0 if
    /// the kernel takes none, while the stream connects, and while earlier writes are still pending.
    ///
    /// Throws the errors of ``write(_:name:file:line:function:_:)-(RawSpan,_,_,_,_,_)``. The corresponding libuv
    /// function is `uv_try_write`.
    public final func tryWrite(_ bytes: RawSpan) throws(UVError) -> Int {
        max(0, try attemptWrite(bytes))
    }

    /// Writes what the kernel takes at once of an array; returns the number of bytes written.
    public final func tryWrite(_ bytes: [UInt8]) throws(UVError) -> Int {
        let result = bytes.withUnsafeBytes { bytes in Result { () throws(UVError) in try tryWrite(bytes.bytes) } }
        return try result.get()
    }

    @inline(__always)
    private final func attemptWrite(_ bytes: RawSpan) throws(UVError) -> Int {
        try checkWritable("uv_try_write")
        let status = bytes.withUnsafeBytes { source in
            withUnsafePointer(to: uv_buf_t(source)) { uv_try_write(stream, $0, 1) }
        }
        return try UVStream.taken(status)
    }

    /// Interprets the result of `uv_try_write`: the number of bytes that the kernel took, or -1 if it has to wait for
    /// earlier writes or the connection.
    @inline(__always)
    static func taken(_ status: Int32) throws(UVError) -> Int {
        if status >= 0 { return Int(status) }
        if status == UV_EAGAIN.rawValue { return -1 }
        let isUnconnected = status == UV_EBADF.rawValue
        throw UVError(.init(rawValue: status), operation: "uv_try_write", detail: isUnconnected ? "not connected" : nil)
    }

    /// Queues the bytes that were not `taken` at once, which `copy` puts into memory of that size. If all were taken,
    /// posts the completion.
    @inline(never)
    final func finishWrite(
        _ taken: Int,
        of total: Int,
        _ site: CallSite,
        _ completion: ((UVError?) -> Void)?,
        copy: (UnsafeMutableRawPointer) -> Void
    ) throws(UVError) {
        let rest = total - max(taken, 0)
        if taken == total {
            if let completion { post(.write, site) { completion(nil) } }
            return
        }
        try StreamRequest.start(.write, "uv_write", on: self, site, extraBytes: rest, completion) { request, memory in
            copy(memory)
            return withUnsafePointer(to: uv_buf_t(UnsafeRawBufferPointer(start: memory, count: rest))) {
                uv_write(request, stream, $0, 1) { StreamRequest.finish($0, $1) }
            }
        }
    }
}

extension uv_buf_t {
    /// Creates a buffer for writing, whose bytes libuv does not change.
    init(_ bytes: UnsafeRawBufferPointer) {
        let base = UnsafeMutableRawPointer(mutating: bytes.baseAddress)
        self.init(base: base?.assumingMemoryBound(to: CChar.self), len: bytes.count)
    }
}
