import CLibUV

extension UVStream {
    /// Writes several arrays as if they were one, without joining them first; see
    /// ``write(_:name:file:line:function:_:)-(RawSpan,_,_,_,_,_)``.
    public final func write(
        vectored buffers: [[UInt8]],
        name: DispatchName? = nil,
        file: StaticString = #fileID,
        line: UInt = #line,
        function: StaticString = #function,
        _ completion: ((UVError?) -> Void)? = nil
    ) throws(UVError) {
        let taken = try attemptWrite(buffers)
        let total = UVStream.size(buffers[...])
        if taken == total && completion == nil { return }
        try finishWrite(taken, of: total, CallSite(name, file, line, function), completion) { memory in
            UVStream.copy(buffers, droppingFirst: max(taken, 0), to: memory)
        }
    }

    /// Writes what the kernel takes at once of several arrays, with one system call per 256 of them, without queuing
    /// the rest. Returns the number of bytes written.
    ///
    /// Throws the errors of ``write(_:name:file:line:function:_:)-(RawSpan,_,_,_,_,_)``. The corresponding libuv
    /// function is `uv_try_write`.
    public final func tryWrite(vectored buffers: [[UInt8]]) throws(UVError) -> Int { max(0, try attemptWrite(buffers)) }

    /// Tries to write; returns -1 if earlier writes or the connection come first.
    private final func attemptWrite(_ buffers: [[UInt8]]) throws(UVError) -> Int {
        if buffers.isEmpty { return try attemptWrite([[]]) }
        try checkWritable("uv_try_write")
        var written = 0
        var rest = buffers[...]
        repeat {
            let batch = rest.prefix(256)
            let status = UVStream.withBuffers(batch) { uv_try_write(stream, $0, UInt32(batch.count)) }
            let taken = try UVStream.taken(status)
            if taken < 0 { return written == 0 ? -1 : written }
            written += taken
            if taken < UVStream.size(batch) { break }
            rest = rest.dropFirst(batch.count)
        } while !rest.isEmpty
        return written
    }

    private static func size(_ buffers: ArraySlice<[UInt8]>) -> Int { buffers.reduce(0) { $0 + $1.count } }

    private static func copy(_ buffers: [[UInt8]], droppingFirst dropped: Int, to memory: UnsafeMutableRawPointer) {
        var left = dropped
        var target = memory
        for buffer in buffers {
            buffer.withUnsafeBytes { bytes in
                let part = UnsafeRawBufferPointer(rebasing: bytes.dropFirst(left))
                if let start = part.baseAddress { target.copyMemory(from: start, byteCount: part.count) }
                target += part.count
            }
            left -= min(left, buffer.count)
        }
    }

    /// Calls `body` with buffers of all arrays at once, nesting one call per array.
    private static func withBuffers(
        _ buffers: ArraySlice<[UInt8]>,
        _ body: (UnsafePointer<uv_buf_t>) -> Int32
    ) -> Int32 {
        withUnsafeTemporaryAllocation(of: uv_buf_t.self, capacity: buffers.count) { filled in
            func fill(_ rest: ArraySlice<[UInt8]>) -> Int32 {
                guard let first = rest.first else { return body(filled.baseAddress!) }
                return first.withUnsafeBytes { bytes in
                    filled.initializeElement(at: rest.startIndex - buffers.startIndex, to: uv_buf_t(bytes))
                    return fill(rest.dropFirst())
                }
            }
            return fill(buffers)
        }
    }
}
