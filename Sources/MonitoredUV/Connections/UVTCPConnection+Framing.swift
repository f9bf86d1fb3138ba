extension UVTCPConnection {
    /// Reads exactly the next `count` bytes. They are collected in memory: check a count that the peer chose.
    ///
    /// - Throws: ``UVError/Code/endOfFile`` if the peer ends its side first; the bytes that it sent can still be read
    ///   with ``read()``. ``UVError/Code/invalidArgument`` for a negative count. Otherwise the errors of ``read()``; no
    ///   bytes are lost then, either.
    public nonisolated(nonsending) func read(exactly count: Int) async throws -> [UInt8] {
        if count < 0 {
            throw UVError(.invalidArgument, operation: "UVTCPConnection.read", detail: "the count \(count) is negative")
        }
        if count == 0 { return [] }
        if let bytes = try await collect({ $0.count >= count ? count : nil }) { return bytes }
        throw endOfFile(0)
    }

    /// Reads the next bytes up to and including `delimiter`; returns `nil` if the peer has ended its side and nothing
    /// is left.
    ///
    /// - Parameters:
    ///   - delimiter: At least one byte.
    ///   - limit: The maximum number of bytes, including the delimiter.
    /// - Throws: ``UVError/Code/endOfFile`` if the peer ends its side before the delimiter, and
    ///   ``UVError/Code/messageTooLong`` if the delimiter does not appear within `limit` bytes; the bytes that arrived
    ///   can still be read with ``read()``. ``UVError/Code/invalidArgument`` for an empty delimiter or one that is
    ///   longer than `limit`. Otherwise the errors of ``read()``; no bytes are lost then, either.
    public nonisolated(nonsending) func read(
        until delimiter: [UInt8],
        limit: Int = 64 * 1024
    ) async throws -> [UInt8]? {
        try await collect(until: delimiter, limit: limit, orEnd: false)
    }

    /// Reads up to a delimiter given as text: `read(until: "\r\n")`.
    public nonisolated(nonsending) func read(until delimiter: String, limit: Int = 64 * 1024) async throws -> [UInt8]? {
        try await read(until: Array(delimiter.utf8), limit: limit)
    }

    /// Returns the lines of text that the peer sends, without their `\n` or `\r\n`, until it ends its side; the last
    /// line need not be terminated. Invalid UTF-8 is replaced by U+FFFD.
    ///
    /// - Parameter limit: The maximum number of bytes in a line, including its terminator. Beyond it, the iterator
    ///   throws ``UVError/Code/messageTooLong`` on every call; the bytes can still be read with ``read()``.
    public func lines(limit: Int = 64 * 1024) -> Lines { Lines(connection: self, limit: limit) }

    /// The sequence that ``UVTCPConnection/lines(limit:)`` returns.
    public struct Lines: AsyncSequence, Sendable {
        fileprivate let connection: UVTCPConnection
        fileprivate let limit: Int

        /// Makes an iterator. All iterators of a connection consume the same bytes.
        public func makeAsyncIterator() -> Iterator { Iterator(connection: connection, limit: limit) }

        /// An iterator that waits for lines.
        public struct Iterator: AsyncIteratorProtocol {
            fileprivate let connection: UVTCPConnection
            fileprivate let limit: Int

            /// Returns the next line; `nil` at the end.
            public mutating func next() async throws -> String? { try await connection.line(limit) }

            /// Returns the next line; `nil` at the end.
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
            let detail = "a delimiter of \(delimiter.count) bytes does not fit in a limit of \(limit)"
            throw UVError(.invalidArgument, operation: "UVTCPConnection.read", detail: detail)
        }
        // The number of bytes already searched, in which no delimiter begins.
        var searched = 0
        return try await collect(orEnd: orEnd) { bytes throws(UVError) in
            while let start = bytes.dropFirst(searched).firstIndex(of: delimiter[0]) {
                let offset = start - bytes.startIndex
                let found = bytes[start...].prefix(delimiter.count)
                searched = offset
                if found.count < delimiter.count { break }
                if found.elementsEqual(delimiter) {
                    if offset + delimiter.count <= limit { return offset + delimiter.count }
                    break
                }
                searched = offset + 1
            }
            if !bytes.dropFirst(searched).starts(with: delimiter.prefix(1)) { searched = bytes.count }
            if bytes.count < limit { return nil }
            let detail = "no delimiter within \(limit) bytes"
            throw UVError(.messageTooLong, operation: "UVTCPConnection.read", detail: detail)
        }
    }

    /// Reads until `length` returns the number of bytes wanted; returns `nil` at the end if there are no bytes. The
    /// bytes beyond that number remain to be read, as do all bytes after an error.
    ///
    /// - Parameter orEnd: Whether the end of the stream also ends the wanted bytes.
    private nonisolated(nonsending) func collect(
        orEnd: Bool = false,
        _ length: (ArraySlice<UInt8>) throws(UVError) -> Int?
    ) async throws -> [UInt8]? {
        var bytes: ArraySlice<UInt8> = []
        do {
            while true {
                guard let piece = try await readSlice() else {
                    if bytes.isEmpty { return nil }
                    if orEnd { return Array(bytes) }
                    throw endOfFile(bytes.count)
                }
                if bytes.isEmpty { bytes = piece } else { bytes += piece }
                guard let length = try length(bytes) else { continue }
                putBack(bytes.dropFirst(length))
                if loop.shared.isRunningHere { state.spend(bytes: length) }
                await loop.giveWay()
                return Array(bytes.prefix(length))
            }
        } catch {
            putBack(bytes)
            throw error
        }
    }

    private nonisolated(nonsending) func readSlice() async throws -> ArraySlice<UInt8>? {
        try Task.checkCancellation()
        if loop.shared.isRunningHere, let bytes = state.takeSlice() { return bytes }
        return try await read()?[...]
    }

    /// Puts back bytes ahead of whatever this task reads next.
    private func putBack(_ bytes: ArraySlice<UInt8>) {
        if bytes.isEmpty { return }
        if loop.shared.isRunningHere { return state.putBack(bytes) }
        _ = loop.shared.post(CallSite(named: "UVTCPConnection.read")) { [state] in state.putBack(bytes) }
    }

    private func endOfFile(_ count: Int) -> UVError {
        UVError(.endOfFile, operation: "UVTCPConnection.read", detail: "the peer ended its side after \(count) bytes")
    }

    // MARK: Writing

    /// Writes borrowed bytes. Those that the kernel accepts at once are not copied; see ``write(_:)-([UInt8])``.
    public nonisolated(nonsending) func write(_ bytes: RawSpan) async throws {
        try Task.checkCancellation()
        let written = loop.shared.isRunningHere ? try state.tryWrite(bytes) : 0
        if written == bytes.byteCount { return await loop.giveWay() }
        try await writeRest([UInt8](uvBytes: bytes.extracting(droppingFirst: written)), hasBegun: written > 0)
    }

    /// Writes a copy of a slice, `Data`, or another collection of bytes; see ``write(_:)-([UInt8])``.
    public nonisolated(nonsending) func write(_ bytes: some Collection<UInt8>) async throws {
        try await write(Array(bytes))
    }

    /// Writes several arrays as one, without joining what the kernel accepts at once; see ``write(_:)-([UInt8])``.
    public nonisolated(nonsending) func write(vectored buffers: [[UInt8]]) async throws {
        try Task.checkCancellation()
        let written = loop.shared.isRunningHere ? try state.tryWrite(vectored: buffers) : 0
        var (left, rest) = (written, [UInt8]())
        for buffer in buffers {
            rest += buffer.dropFirst(left)
            left -= min(left, buffer.count)
        }
        if rest.isEmpty { return await loop.giveWay() }
        try await writeRest(rest, hasBegun: written > 0)
    }

    /// Writes the remaining bytes. If writing has begun and the task is canceled, an unknown part of the bytes has been
    /// sent, so the connection is closed.
    private nonisolated(nonsending) func writeRest(_ bytes: [UInt8], hasBegun: Bool) async throws {
        do { try await write(bytes) } catch let error as CancellationError {
            if hasBegun { abandon() }
            throw error
        }
    }
}
