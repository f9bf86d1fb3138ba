/// The loop thread's side of a ``UVTCPServer``: the handle, the clients that no task has taken yet, and the task that
/// waits for one.
///
/// `@unchecked Sendable`: used only on the loop's thread.
final class ServerState: @unchecked Sendable {
    /// The number of clients accepted ahead. One more waits in the listener, and the others in the kernel.
    static let acceptAhead = 64

    let tcp: UVTCP
    /// The distribution of clients to loops; without one, clients stay on the handle's loop.
    let rotation: LoopRotation?
    private let onAcceptError: (@Sendable (UVError) -> Void)?
    private(set) var accepted: [AcceptedSocket] = []
    private var isPending = false
    private var taker: LoopOperation<AcceptedSocket?>?
    private var lastWarning: UInt64?

    init(_ tcp: UVTCP, _ group: UVEventLoopGroup?, _ onAcceptError: (@Sendable (UVError) -> Void)?) {
        self.tcp = tcp
        rotation = group.map { LoopRotation($0) }
        self.onAcceptError = onAcceptError
        // This also runs when the loop is shut down.
        tcp.onClosing = { [weak self] in self?.accepted = [] }
    }

    func listen(_ backlog: Int32, _ policy: UVStream.OutOfDescriptors, _ site: CallSite) throws(UVError) {
        try tcp.listen(backlog, policy, site) { [unowned self] error in
            if let error { return failed(error) }
            if accepted.count < Self.acceptAhead { acceptPending() } else { isPending = true }
        }
    }

    /// Takes a client that has already been accepted.
    func takeSocket() -> AcceptedSocket? {
        guard !accepted.isEmpty else { return nil }
        let socket = accepted.removeFirst()
        if isPending { acceptPending() }
        return socket
    }

    func accept(_ operation: LoopOperation<AcceptedSocket?>) {
        if let socket = takeSocket() { return operation.resume(returning: socket) }
        if tcp.isClosing { return operation.resume(returning: nil) }
        if taker != nil {
            let detail = "another task waits for a connection"
            let error = UVError(.alreadyInProgress, operation: "UVTCPServer.accept", detail: detail)
            return operation.resume(throwing: error)
        }
        taker = operation
        operation.onCancel = { [unowned self] in taker = nil }
    }

    private func acceptPending() {
        isPending = false
        let socket: AcceptedSocket
        do throws(UVError) {
            socket = accepted(try tcp.acceptDescriptor())
        } catch { return failed(error) }
        guard let taker else { return accepted.append(socket) }
        self.taker = nil
        taker.resume(returning: socket)
    }

    private func accepted(_ descriptor: Int32) -> AcceptedSocket {
        guard let rotation else { return AcceptedSocket(descriptor, for: tcp.loop) {} }
        let (loop, number) = rotation.next()
        return AcceptedSocket(descriptor, for: loop) { rotation.arrived(at: number) }
    }

    func failed(_ error: UVError) {
        if let onAcceptError { return onAcceptError(error) }
        // The server's author can do nothing about a client that has already reset its connection.
        if error.code == .notConnected { return }
        let now = MonotonicClock.read()
        if let lastWarning, now - lastWarning < 60_000_000_000 { return }
        lastWarning = now
        let address = (try? tcp.localAddress()).map { "\($0)" } ?? "?"
        warn(
            "the server on \(address) cannot accept a connection: \(error). It keeps listening, and tries again. If "
                + "descriptors are missing, raise the limit (ulimit -n). Further failures within a minute are not reported: "
                + "pass onAcceptError to listen to receive all of them."
        )
    }

    func close(_ completion: (() -> Void)?) {
        tcp.close(CallSite(named: "UVTCPServer.close"), completion)
        guard let taker else { return }
        self.taker = nil
        taker.resume(returning: nil)
    }
}
