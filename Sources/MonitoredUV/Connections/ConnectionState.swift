import MonitoredUVPlatform

/// The loop thread's side of a ``UVTCPConnection``: the handle, the buffered bytes, and the operations that wait for
/// more.
///
/// `@unchecked Sendable`: used only on the loop's thread.
final class ConnectionState: @unchecked Sendable {
    /// Reading pauses once this many bytes are buffered.
    static let bufferLimit = 64 * 1024
    /// Pieces below this size are joined while they are buffered.
    private static let smallPiece = 4096

    let tcp: UVTCP
    private var pieces: [[UInt8]] = []
    private var firstPiece = 0
    /// Bytes that were taken and put back. They precede all pieces.
    private var front: ArraySlice<UInt8> = []
    private var buffered = 0
    private(set) var reader: LoopOperation<[UInt8]?>?
    private var end: UVStream.ReadEnd?
    private var isReading = false
    /// Operations that wait until the connection is gone.
    private var watchers: [Watcher] = []
    /// Polls a connection that is not being read for errors.
    private var lookout: UVTimer?
    var isLookingOut: Bool { lookout != nil }

    /// Whether the lookout has found an error.
    private var isBroken = false

    private struct Watcher {
        let operation: LoopOperation<Bool>
        let isContentWithEndOfStream: Bool
    }

    init(_ tcp: UVTCP) { self.tcp = tcp }

    // MARK: Reading

    /// Takes the next buffered piece; returns `nil` if the caller has to wait or there will be no more.
    func takeBytes() -> [UInt8]? {
        guard let bytes = takeSlice() else { return nil }
        tcp.core.jobs.budget.spend(bytes: bytes.count)
        return Array(bytes)
    }

    /// Takes a piece without copying it, and without charging the job for bytes that it will put back.
    func takeSlice() -> ArraySlice<UInt8>? {
        if !front.isEmpty {
            defer { front = [] }
            buffered -= front.count
            return front
        }
        if firstPiece == pieces.count { return nil }
        let bytes = pieces[firstPiece]
        pieces[firstPiece] = []
        firstPiece += 1
        buffered -= bytes.count
        if firstPiece == pieces.count {
            pieces.removeAll(keepingCapacity: true)
            firstPiece = 0
        }
        if !watchers.isEmpty { watch() }
        return bytes[...]
    }

    /// Puts bytes that were taken back at the front of the buffer, to be read again.
    func putBack(_ bytes: ArraySlice<UInt8>) {
        // A short slice would keep the memory of a large array alive.
        let bytes = bytes.endIndex >= Self.bufferLimit && bytes.count < bytes.endIndex / 16 ? Array(bytes)[...] : bytes
        buffered += bytes.count
        front = front.isEmpty ? bytes : bytes + front
    }

    func read(_ operation: LoopOperation<[UInt8]?>) {
        if let bytes = takeBytes() { return operation.resume(returning: bytes) }
        switch end {
        case .endOfStream: return operation.resume(returning: nil)
        case .failed(let error): return operation.resume(throwing: error)
        case nil: break
        }
        if tcp.isClosing { return operation.resume(returning: nil) }
        if reader != nil {
            let detail = "another task waits for bytes"
            let error = UVError(.alreadyInProgress, operation: "UVTCPConnection.read", detail: detail)
            return operation.resume(throwing: error)
        }
        do { try startReading() } catch { return operation.resume(throwing: error) }
        reader = operation
        operation.onCancel = { [unowned self] in reader = nil }
    }

    private func startReading() throws(UVError) {
        endLookout()
        if isReading { return }
        try tcp.startReading(CallSite(named: "UVTCPConnection.inbound")) { [unowned self] bytes in
            received(Array(uvBytes: bytes))
        } onEnd: { [unowned self] end in
            ended(end)
        }
        isReading = true
    }

    private func received(_ bytes: [UInt8]) {
        if let reader {
            self.reader = nil
            return reader.resume(returning: bytes)
        }
        buffered += bytes.count
        // Each array has memory overhead besides its bytes.
        if bytes.count < Self.smallPiece, let last = pieces.indices.last, pieces[last].count < Self.smallPiece {
            pieces[last] += bytes
        } else {
            pieces.append(bytes)
        }
        if buffered < Self.bufferLimit { return }
        tcp.stopReading()
        isReading = false
        if !watchers.isEmpty { watch() }
    }

    private func ended(_ end: UVStream.ReadEnd) {
        self.end = end
        isReading = false
        if end == .endOfStream { notifyEndOfStream() } else { notifyGone() }
        if !watchers.isEmpty { watch() }
        guard let reader else { return }
        self.reader = nil
        switch end {
        case .endOfStream: reader.resume(returning: nil)
        case .failed(let error): reader.resume(throwing: error)
        }
    }

    // MARK: Being gone

    /// Resumes the operation with `true` when the peer has ended the connection, and with `false` when this side has.
    func waitUntilGone(orEndOfStream: Bool, _ operation: LoopOperation<Bool>) {
        if tcp.isClosing { return operation.resume(returning: false) }
        let isGone =
            switch end {
            case .failed: true
            case .endOfStream: orEndOfStream || isBroken
            case nil: isBroken
            }
        if isGone { return operation.resume(returning: true) }
        watchers.append(Watcher(operation: operation, isContentWithEndOfStream: orEndOfStream))
        operation.onCancel = { [unowned self, unowned operation] in
            watchers.removeAll { $0.operation === operation }
            if watchers.isEmpty { endLookout() }
        }
        watch()
    }

    /// Reads ahead; starts the lookout instead after the end of the stream and while the buffer is full.
    private func watch() {
        if isReading || tcp.isClosing { return }
        if end == nil && buffered < Self.bufferLimit {
            do { try startReading() } catch { notifyGone() }
        } else if lookout == nil {
            let timer = UVTimer(on: tcp.loop) { [unowned self] _ in look() }
            timer.name = "UVTCPConnection.closed"
            timer.unref()
            timer.start(after: .seconds(1), repeating: .seconds(1))
            lookout = timer
        }
    }

    private func look() {
        guard let descriptor = try? tcp.descriptor() else { return endLookout() }
        var polled = pollfd(fd: descriptor, events: 0, revents: 0)
        if poll(&polled, 1, 0) <= 0 { return }
        // Once both sides have ended the connection in order, `POLLHUP` is also set.
        if polled.revents & Int16(POLLERR) == 0 && end == .endOfStream && tcp.wasShutDown { return }
        isBroken = true
        notifyGone()
    }

    private func endLookout() {
        lookout?.close()
        lookout = nil
    }

    private func notifyEndOfStream() {
        let content = watchers.filter(\.isContentWithEndOfStream)
        watchers.removeAll(where: \.isContentWithEndOfStream)
        content.forEach { $0.operation.resume(returning: true) }
    }

    private func notifyGone(byPeer isPeer: Bool = true) {
        let all = watchers
        watchers = []
        endLookout()
        all.forEach { $0.operation.resume(returning: isPeer) }
    }

    // MARK: Writing and closing

    func spend(bytes: Int) { tcp.core.jobs.budget.spend(bytes: bytes) }

    /// Writes as much as the kernel accepts at once.
    func tryWrite(_ bytes: [UInt8]) throws(UVError) -> Int {
        let written = try tcp.tryWrite(bytes)
        tcp.core.jobs.budget.spend(bytes: written)
        return written
    }

    func tryWrite(_ bytes: RawSpan) throws(UVError) -> Int {
        let written = try tcp.tryWrite(bytes)
        tcp.core.jobs.budget.spend(bytes: written)
        return written
    }

    func tryWrite(vectored buffers: [[UInt8]]) throws(UVError) -> Int {
        let written = try tcp.tryWrite(vectored: buffers)
        tcp.core.jobs.budget.spend(bytes: written)
        return written
    }

    func write(_ bytes: [UInt8], from start: Int, _ operation: LoopOperation<Void>) {
        attempt(operation) { completion throws(UVError) in
            if start == 0 { return try tcp.write(bytes, completion) }
            try tcp.write(Array(bytes[start...]), completion)
        }
    }

    func shutdown(_ operation: LoopOperation<Void>) {
        attempt(operation) { completion throws(UVError) in try tcp.shutdown(completion) }
    }

    /// Starts an operation that cannot be undone: a task that is canceled in the meantime closes the connection.
    private func attempt(
        _ operation: LoopOperation<Void>,
        _ start: (@escaping (UVError?) -> Void) throws(UVError) -> Void
    ) {
        do {
            try start { error in operation.resume(with: error.map { .failure($0) } ?? .success(())) }
        } catch {
            operation.resume(throwing: error)
        }
    }

    /// Closes with a reset if bytes are still queued, so that the peer learns that they will not come.
    func abandon() {
        if !tcp.isClosing && tcp.writeQueueSize > 0 { try? tcp.closeReset() }  // not while a shutdown is under way
        close(nil)
    }

    func close(_ completion: (() -> Void)?) {
        tcp.close(CallSite(named: "UVTCPConnection.close"), completion)
        notifyGone(byPeer: false)
        guard let reader else { return }
        self.reader = nil
        reader.resume(returning: nil)
    }
}
