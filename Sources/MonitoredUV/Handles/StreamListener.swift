internal import CLibUV
internal import CMonitoredUV

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Takes connections off the listening socket of a stream, which this polls itself.
///
/// Where accepting fails for long, libuv's own way (`uv_listen`) tries again and again without returning to its loop. This
/// one never tries twice in a callback: it stops polling, and tries again some milliseconds later, or as soon as a handle
/// of the loop has closed.
///
/// A callback accepts several connections if there are many. The number is one, and grows when there are some in each
/// iteration, so that few system calls are made only to learn that there are no more.
final class StreamListener {
    /// A handle of libuv's with its listener behind it. It counts as one of the loop's own.
    private struct Handle<Raw> {
        var raw: Raw
        let listener: Unmanaged<StreamListener>
    }

    private enum State {
        case polling
        /// A connection that another listener has accepted is to be announced.
        case inherited
        /// The stream has not accepted what was announced.
        case waiting
        /// Accepting fails.
        case paused
        case closed
    }

    static let mostAtOnce = 64
    private static let retryMilliseconds: UInt64 = 5

    /// What takes a connection off the socket, as ``muv_accept`` does.
    var accept: (Int32) -> Int32 = { muv_accept($0) }

    private unowned(unsafe) let stream: UVStream
    private let core: LoopCore
    private let socket: Int32
    private let policy: UVStream.OutOfDescriptors
    private var callback: Callback?
    private let poll: UnsafeMutablePointer<Handle<uv_poll_t>>
    /// Also keeps a run of the loop going while nothing is polled.
    private let timer: UnsafeMutablePointer<Handle<uv_timer_t>>
    private var state = State.polling
    private var batch = 1
    /// A connection that was accepted here, and not yet by the stream; -1 for none.
    private var pending: Int32
    /// An error was told, and no connection accepted since.
    private var isFailing = false
    /// When connections were last accepted.
    private var iteration: UInt64 = 0

    /// What is to be called.
    final class Callback {
        let body: (UVError?) -> Void
        init(_ body: @escaping (UVError?) -> Void) { self.body = body }
    }

    /// Begins to poll `socket`, which listens and does not block.
    ///
    /// - Parameter pending: A connection that another listener has accepted, or -1.
    init(
        _ stream: UVStream,
        _ socket: Int32,
        _ policy: UVStream.OutOfDescriptors,
        pending: Int32,
        _ callback: Callback
    ) throws(UVError) {
        self.stream = stream
        self.socket = socket
        self.policy = policy
        self.pending = pending
        self.callback = callback
        core = stream.core
        poll = .allocate(capacity: 1)
        timer = .allocate(capacity: 1)
        let status = uv_poll_init(core.uv, rawPoll, socket)
        if status < 0 {
            poll.deallocate()
            timer.deallocate()
            state = .closed
        }
        try UVError.check(status, "uv_poll_init")
        UVError.require(uv_timer_init(core.uv, rawTimer), "uv_timer_init")
        for handle in handles { handle.pointee.data = core.uv.pointee.data }
        setOwner(of: poll)
        setOwner(of: timer)
        if uv_has_ref(stream.raw) == 0 { handles.forEach { uv_unref($0) } }
        if pending < 0 { startPolling() } else { stopPolling(.inherited, for: 0) }
    }

    deinit { if state != .closed { fatalError("a listener was freed without being closed") } }

    private var rawPoll: UnsafeMutablePointer<uv_poll_t> {
        UnsafeMutableRawPointer(poll).assumingMemoryBound(to: uv_poll_t.self)
    }
    private var rawTimer: UnsafeMutablePointer<uv_timer_t> {
        UnsafeMutableRawPointer(timer).assumingMemoryBound(to: uv_timer_t.self)
    }
    private var handles: [UnsafeMutablePointer<uv_handle_t>] { [rawPoll.handle, rawTimer.handle] }

    /// A handle keeps the listener until libuv is done with it.
    private func setOwner<Raw>(of handle: UnsafeMutablePointer<Handle<Raw>>) {
        let field = MemoryLayout<Handle<Raw>>.offset(of: \.listener)!
        (UnsafeMutableRawPointer(handle) + field).storeBytes(
            of: Unmanaged.passRetained(self),
            as: Unmanaged<StreamListener>.self
        )
    }

    @inline(__always)
    private static func listener<Raw>(of raw: UnsafeMutablePointer<Raw>?) -> Unmanaged<StreamListener> {
        UnsafeMutableRawPointer(raw!).assumingMemoryBound(to: Handle<Raw>.self).pointee.listener
    }

    // MARK: The stream

    /// Whether the handles keep a run of the loop going.
    func keepRunning(_ keeps: Bool) { handles.forEach { keeps ? uv_ref($0) : uv_unref($0) } }

    /// The descriptor of the connection that was announced, which is the caller's from now on; `nil` if there is none.
    func takeConnection() -> Int32? {
        if pending < 0 { return nil }
        defer { pending = -1 }
        if state == .waiting || state == .inherited { startPolling() }
        return pending
    }

    /// Stops for good, before the socket is closed. A connection that the stream has not accepted is closed.
    ///
    /// - Returns: The callback, which may be running.
    func end() -> Callback? {
        if pending >= 0 { Descriptor.close(takePending()) }
        state = .closed
        core.listenersWithoutDescriptors.removeAll { $0 === self }
        uv_close(rawPoll.handle) { raw in StreamListener.closed(raw, as: uv_poll_t.self) }
        uv_close(rawTimer.handle) { raw in StreamListener.closed(raw, as: uv_timer_t.self) }
        defer { callback = nil }
        return callback
    }

    /// For another listener of the same socket.
    func takePending() -> Int32 {
        defer { pending = -1 }
        return pending
    }

    private static func closed<Raw>(_ raw: UnsafeMutablePointer<uv_handle_t>?, as type: Raw.Type) {
        let handle = UnsafeMutableRawPointer(raw!).assumingMemoryBound(to: Handle<Raw>.self)
        let listener = handle.pointee.listener
        handle.deallocate()
        listener.release()
    }

    // MARK: Polling

    private func startPolling() {
        state = .polling
        UVError.require(uv_timer_stop(rawTimer), "uv_timer_stop")
        let status = uv_poll_start(rawPoll, Int32(UV_READABLE.rawValue)) { raw, status, _ in
            StreamListener.listener(of: raw)._withUnsafeGuaranteedRef { listener in
                // Of an error that polling has found accepting tells more.
                listener.acceptSome()
                // With it libuv has stopped polling.
                if status < 0 && listener.state == .polling { listener.pause() }
            }
        }
        UVError.require(status, "uv_poll_start")
    }

    private func stopPolling(_ state: State, for milliseconds: UInt64) {
        self.state = state
        UVError.require(uv_poll_stop(rawPoll), "uv_poll_stop")
        let status = uv_timer_start(
            rawTimer,
            { raw in StreamListener.listener(of: raw)._withUnsafeGuaranteedRef { $0.tryAgain() } },
            milliseconds,
            0
        )
        UVError.require(status, "uv_timer_start")
    }

    private func wait() { stopPolling(.waiting, for: .max) }

    private func pause() {
        stopPolling(.paused, for: Self.retryMilliseconds)
        if !core.listenersWithoutDescriptors.contains(where: { $0 === self }) {
            core.listenersWithoutDescriptors.append(self)
        }
    }

    /// Accepting may succeed again.
    func tryAgain() {
        core.stampLoopCode()
        if state == .inherited {
            announce(nil)
            return state != .inherited ? () : wait()
        }
        guard state == .paused else { return }
        if policy == .shed && !core.refillReserve() { return pause() }
        core.listenersWithoutDescriptors.removeAll { $0 === self }
        startPolling()
    }

    // MARK: Accepting

    private func acceptSome() {
        core.stampLoopCode()
        // Connections that come one by one leave iterations between them for what they do.
        let isCrowded = core.iteration == iteration &+ 1
        iteration = core.iteration
        var left = batch
        while left > 0 {
            left -= 1
            let connection = accept(socket)
            if connection < 0 {
                switch errno {
                case EAGAIN: return batch = max(1, batch >> 1)
                case let error where Self.isOfConnection(error): continue
                case let error: return failed(error)
                }
            }
            isFailing = false
            pending = connection
            announce(nil)
            if state == .closed { return }
            if pending >= 0 { return wait() }
        }
        if isCrowded { batch = min(Self.mostAtOnce, batch << 1) }
    }

    /// Whether it is an error of a connection that is gone from the queue with it; the next one may be well.
    private static func isOfConnection(_ error: Int32) -> Bool {
        #if os(Linux)
            if [ENONET, EHOSTDOWN].contains(error) { return true }
        #endif
        return [EINTR, ECONNABORTED, EPROTO, ENETDOWN, ENOPROTOOPT, EHOSTUNREACH, ENETUNREACH].contains(error)
    }

    private func failed(_ error: Int32) {
        batch = 1
        let isWithoutDescriptors = error == EMFILE || error == ENFILE
        if !(policy == .shed && isWithoutDescriptors && shedOne()) { pause() }
        if isFailing { return }
        isFailing = true
        announce(UVError(.init(rawValue: -error), operation: "accept"))
    }

    /// Accepts a connection with the descriptor that the loop holds in reserve, and closes it; `false` if the reserve is
    /// lost.
    private func shedOne() -> Bool {
        core.giveUpReserve()
        let connection = accept(socket)
        if connection >= 0 { Descriptor.close(connection) }
        return core.refillReserve()
    }

    private func announce(_ error: UVError?) {
        guard let callback else { return }
        core.dispatch(.connection, stream.dispatchName(stream.registeredName), .io(stream.raw)) { callback.body(error) }
    }
}

extension LoopCore {
    /// Closes the descriptor that libuv holds in reserve for each loop with a stream.
    fileprivate func giveUpReserve() {
        if uv.pointee.emfile_fd >= 0 { Descriptor.close(uv.pointee.emfile_fd) }
        uv.pointee.emfile_fd = -1
    }

    /// `false` if there is no descriptor to be had.
    fileprivate func refillReserve() -> Bool {
        if uv.pointee.emfile_fd < 0 { uv.pointee.emfile_fd = Descriptor.placeholder() }
        return uv.pointee.emfile_fd >= 0
    }

    /// A handle of the loop has closed, and may have given a descriptor back.
    @inline(__always)
    func retryAccepting() { if _slowPath(!listenersWithoutDescriptors.isEmpty) { retryAll() } }

    @inline(never)
    private func retryAll() { for listener in listenersWithoutDescriptors { listener.tryAgain() } }
}
