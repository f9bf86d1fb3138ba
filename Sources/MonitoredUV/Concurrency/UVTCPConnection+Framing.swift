extension UVTCPConnection {
    /// The next `count` bytes, neither more nor fewer.
    ///
    /// - Throws: ``UVError/Code/endOfFile`` if the peer ends its side before; what it sent is still there for ``read()``.
    ///   Otherwise what ``read()`` throws; then, too, nothing is lost.
    public nonisolated(nonsending) func read(exactly count: Int) async throws -> [UInt8] {
        if count < 0 {
            throw UVError(.invalidArgument, operation: "UVTCPConnection.read", detail: "exactly \(count) bytes")
        }
        if count == 0 { return [] }
        if let bytes = try await collect({ $0.count >= count ? count : nil }) { return bytes }
        throw endOfFile(0)
    }

    /// The next bytes up to `delimiter`, which comes with them; `nil` if the peer has ended its side and there are no more.
    ///
    /// - Parameters:
    ///   - delimiter: One byte at least.
    ///   - limit: How many bytes there may be, the delimiter included.
    /// - Throws: ``UVError/Code/endOfFile`` if the peer ends its side before the delimiter, and
    ///   ``UVError/Code/messageTooLong`` if it does not come in time; what came is still there for ``read()``. Otherwise what
    ///   ``read()`` throws; then, too, nothing is lost.
    public nonisolated(nonsending) func read(
        until delimiter: [UInt8],
        limit: Int = 64 * 1024
    ) async throws -> [UInt8]? {
        try await collect(until: delimiter, limit: limit, orEnd: false)
    }

    /// The same for a delimiter that is text: `read(until: "\r\n")`.
    public nonisolated(nonsending) func read(until delimiter: String, limit: Int = 64 * 1024) async throws -> [UInt8]? {
        try await read(until: Array(delimiter.utf8), limit: limit)
    }

    /// The lines of text that the peer sends, without their `\n` or `\r\n`, until it ends its side; the last one need not
    /// have an end. What is not valid UTF-8 is replaced by U+FFFD.
    ///
    /// - Parameter limit: How many bytes a line may have, its end included: beyond that the iterator throws
    ///   ``UVError/Code/messageTooLong``.
    public func lines(limit: Int = 64 * 1024) -> Lines { Lines(connection: self, limit: limit) }

    /// See ``UVTCPConnection/lines(limit:)``.
    public struct Lines: AsyncSequence, Sendable {
        fileprivate let connection: UVTCPConnection
        fileprivate let limit: Int

        /// Makes an iterator; all of a connection's take from the same bytes.
        public func makeAsyncIterator() -> Iterator { Iterator(connection: connection, limit: limit) }

        /// Waits for lines.
        public struct Iterator: AsyncIteratorProtocol {
            fileprivate let connection: UVTCPConnection
            fileprivate let limit: Int

            /// The next line; `nil` at the end.
            public mutating func next() async throws -> String? { try await connection.line(limit) }

            /// The next line; `nil` at the end.
            public mutating func next(isolation actor: isolated (any Actor)?) async throws -> String? {
                try await connection.line(limit)
            }
        }
    }

    private nonisolated(nonsending) func line(_ limit: Int) async throws -> String? {
        guard let bytes = try await collect(until: [UInt8(ascii: "\n")], limit: limit, orEnd: true) else { return nil }
        var line = bytes[...]
        if line.last == UInt8(ascii: "\n") {
            line.removeLast()
            if line.last == UInt8(ascii: "\r") { line.removeLast() }
        }
        return String(decoding: line, as: UTF8.self)
    }

    private nonisolated(nonsending) func collect(
        until delimiter: [UInt8],
        limit: Int,
        orEnd: Bool
    ) async throws -> [UInt8]? {
        if delimiter.isEmpty || limit < delimiter.count {
            let detail = "a delimiter of \(delimiter.count) bytes within \(limit)"
            throw UVError(.invalidArgument, operation: "UVTCPConnection.read", detail: detail)
        }
        var searched = 0
        return try await collect(orEnd: orEnd) { bytes throws(UVError) in
            while let start = bytes[searched...].firstIndex(of: delimiter[0]) {
                let end = start + delimiter.count
                if end > bytes.count {
                    searched = start
                    break
                }
                if bytes[start..<end].elementsEqual(delimiter) {
                    if end <= limit { return end }
                    break
                }
                searched = start + 1
            }
            if bytes.count < limit { return nil }
            let detail = "no delimiter within \(limit) bytes"
            throw UVError(.messageTooLong, operation: "UVTCPConnection.read", detail: detail)
        }
    }

    /// Reads until `length` says how many of the bytes are wanted; `nil` at the end without any. The others stay to be read,
    /// as do all of them after an error.
    ///
    /// - Parameter orEnd: The end of the stream ends what is wanted.
    private nonisolated(nonsending) func collect(
        orEnd: Bool = false,
        _ length: ([UInt8]) throws(UVError) -> Int?
    ) async throws -> [UInt8]? {
        var bytes: [UInt8] = []
        do {
            while true {
                guard let piece = try await read() else {
                    if bytes.isEmpty { return nil }
                    if orEnd { return bytes }
                    throw endOfFile(bytes.count)
                }
                if bytes.isEmpty { bytes = piece } else { bytes += piece }
                guard let length = try length(bytes) else { continue }
                if length < bytes.count {
                    await putBack(Array(bytes[length...]))
                    bytes.removeLast(bytes.count - length)
                }
                return bytes
            }
        } catch {
            if !bytes.isEmpty { await putBack(bytes) }
            throw error
        }
    }

    private func endOfFile(_ count: Int) -> UVError {
        UVError(.endOfFile, operation: "UVTCPConnection.read", detail: "the peer ended its side after \(count) bytes")
    }

    private nonisolated(nonsending) func putBack(_ bytes: [UInt8]) async {
        if loop.shared.isRunningHere { return state.putBack(bytes) }
        await withUnsafeContinuation { continuation in
            let isPosted = loop.shared.post(CallSite(named: "UVTCPConnection.read")) { [state] in
                state.putBack(bytes)
                continuation.resume()
            }
            if !isPosted { continuation.resume() }
        }
    }

    // MARK: Writing

    /// Writes bytes that are only lent: what the kernel takes at once without a copy; see ``write(_:)-([UInt8])``.
    public nonisolated(nonsending) func write(_ bytes: RawSpan) async throws {
        try Task.checkCancellation()
        let written = loop.shared.isRunningHere ? try state.tryWrite(bytes) : 0
        if written == bytes.byteCount { return await loop.giveWay() }
        try await write([UInt8](uvBytes: bytes.extracting(droppingFirst: written)))
    }

    /// Writes a slice, `Data`, or another collection of bytes, from a copy; see ``write(_:)-([UInt8])``.
    public nonisolated(nonsending) func write(_ bytes: some Collection<UInt8>) async throws {
        try await write(Array(bytes))
    }

    /// Writes several arrays as one: what the kernel takes at once without joining them; see ``write(_:)-([UInt8])``.
    public nonisolated(nonsending) func write(vectored buffers: [[UInt8]]) async throws {
        try Task.checkCancellation()
        var left = loop.shared.isRunningHere ? try state.tryWrite(vectored: buffers) : 0
        var rest: [UInt8] = []
        for buffer in buffers {
            rest += buffer.dropFirst(left)
            left -= min(left, buffer.count)
        }
        if rest.isEmpty { return await loop.giveWay() }
        try await write(rest)
    }
}
