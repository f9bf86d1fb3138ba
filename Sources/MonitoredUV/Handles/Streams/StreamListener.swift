import CLibUV
import CMonitoredUV
import MonitoredUVPlatform

/// Polls the listening socket of a stream and accepts its connections.
///
/// `uv_listen` is not used: when `accept` keeps failing, it retries without returning to its loop. This class stops polling
/// after a failure, and retries a few milliseconds later, or as soon as a handle of the loop has closed.
///
/// A poll callback first accepts one connection. The number doubles, up to ``mostAtOnce``, while connections arrive in
/// consecutive iterations, and shrinks when there are fewer, so that few calls of `accept` find nothing.
final class StreamListener: DescriptorWaiter {
    /// A libuv handle followed by its listener. It counts as one of the loop's internal handles.
    private struct Handle<Raw> {
        var raw: Raw
        let listener: Unmanaged<StreamListener>
    }

    private enum State {
        case polling
        /// A connection that another listener accepted will be announced.
        case inherited
        /// The stream has not taken the announced connection yet.
        case waiting
        /// Accepting failed.
        case paused
        case closed
    }

    static let mostAtOnce = 64
    private static let retryMilliseconds: UInt64 = 5

    /// Accepts a connection, with the result and `errno` of `muv_accept`. Tests replace it.
    var accept: (Int32) -> Int32 = { muv_accept($0) }

    private unowned(unsafe) let stream: UVStream
    private let core: LoopCore
    private let socket: Int32
    private let policy: UVStream.OutOfDescriptors
    private var callback: Callback?
    private let poll: UnsafeMutablePointer<Handle<uv_poll_t>>
    /// Also keeps `run` alive while nothing is polled.
    private let timer: UnsafeMutablePointer<Handle<uv_timer_t>>
    private var state = State.polling
    private var batch = 1
    /// A connection that the stream has not taken, or -1.
    private var pending: Int32
    /// Whether an error was announced, and no connection has been accepted since.
    private var isFailing = false
    /// The last iteration in which connections arrived.
    private var iteration: UInt64 = 0

    /// Holds the closure passed to `listen`, so that it can be released after a dispatch.
    final class Callback {
        let body: (UVError?) -> Void
        init(_ body: @escaping (UVError?) -> Void) { self.body = body }
    }

    /// Starts polling `socket`, which is listening and in non-blocking mode.
    ///
    /// - Parameter pending: A connection that another listener accepted, or -1.
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

    deinit { if state != .closed { bug("a listener was freed without being closed") } }

    private var rawPoll: UnsafeMutablePointer<uv_poll_t> {
        UnsafeMutableRawPointer(poll).assumingMemoryBound(to: uv_poll_t.self)
    }
    private var rawTimer: UnsafeMutablePointer<uv_timer_t> {
        UnsafeMutableRawPointer(timer).assumingMemoryBound(to: uv_timer_t.self)
    }
    private var handles: [UnsafeMutablePointer<uv_handle_t>] { [rawPoll.handle, rawTimer.handle] }

    /// Makes a handle retain the listener until it is closed.
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

    /// References or unreferences the handles.
    func keepRunning(_ keeps: Bool) { handles.forEach { keeps ? uv_ref($0) : uv_unref($0) } }

    /// Returns the descriptor of the announced connection, which the caller then owns; `nil` if there is none.
    func takeConnection() -> Int32? {
        if pending < 0 { return nil }
        defer { pending = -1 }
        if state == .waiting || state == .inherited { startPolling() }
        return pending
    }

    /// Closes the handles, and a connection that the stream has not taken. Called before the socket is closed.
    ///
    /// - Returns: The callback, which may be running.
    func end() -> Callback? {
        if pending >= 0 { Platform.close(takePending()) }
        state = .closed
        core.members.descriptorWaiters.removeAll { $0 === self }
        uv_close(rawPoll.handle) { raw in StreamListener.closed(raw, as: uv_poll_t.self) }
        uv_close(rawTimer.handle) { raw in StreamListener.closed(raw, as: uv_timer_t.self) }
        defer { callback = nil }
        return callback
    }

    /// Returns the pending connection, and gives it up to another listener of the same socket.
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
                // `accept` returns a more precise error than the poll's status.
                listener.acceptSome()
                // After an error libuv has stopped the poll.
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
            { raw in StreamListener.listener(of: raw)._withUnsafeGuaranteedRef { $0.timerFired() } },
            milliseconds,
            0
        )
        UVError.require(status, "uv_timer_start")
    }

    private func wait() { stopPolling(.waiting, for: .max) }

    private func pause() {
        stopPolling(.paused, for: Self.retryMilliseconds)
        if !core.members.descriptorWaiters.contains(where: { $0 === self }) {
            core.members.descriptorWaiters.append(self)
        }
    }

    private func timerFired() {
        core.recorder.stampLoopCode()
        if state == .inherited { announceInherited() } else { tryAgain() }
    }

    private func announceInherited() {
        announce(nil)
        if state == .inherited { wait() }
    }

    /// Polls again after a failure.
    func tryAgain() {
        guard state == .paused else { return }
        if policy == .shed && !core.refillReserve() { return pause() }
        core.members.descriptorWaiters.removeAll { $0 === self }
        startPolling()
    }

    // MARK: Accepting

    private func acceptSome() {
        core.recorder.stampLoopCode()
        // Connections that arrive one at a time leave iterations without any in between.
        let isCrowded = core.iteration == iteration &+ 1
        iteration = core.iteration
        var left = batch
        while left > 0 {
            left -= 1
            let connection = accept(socket)
            if connection < 0 {
                switch errno {
                case EAGAIN: return batch = max(1, batch >> 1)
                case let error where Platform.errorsOfOneConnection.contains(error): continue
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

    private func failed(_ error: Int32) {
        batch = 1
        let isWithoutDescriptors = error == EMFILE || error == ENFILE
        if !(policy == .shed && isWithoutDescriptors && shedOne()) { pause() }
        if isFailing { return }
        isFailing = true
        announce(UVError(.init(rawValue: -error), operation: "accept"))
    }

    /// Accepts a connection with the loop's reserve descriptor, and closes it. Returns `false` if the reserve could not
    /// be reopened.
    private func shedOne() -> Bool {
        core.giveUpReserve()
        let connection = accept(socket)
        if connection >= 0 { Platform.close(connection) }
        return core.refillReserve()
    }

    private func announce(_ error: UVError?) {
        guard let callback else { return }
        core.dispatch(.connection, stream.dispatchName(stream.registeredName), .io(stream.raw)) { callback.body(error) }
    }
}

extension LoopCore {
    /// Closes the reserve descriptor that libuv keeps for each loop with a stream.
    fileprivate func giveUpReserve() {
        if uv.pointee.emfile_fd >= 0 { Platform.close(uv.pointee.emfile_fd) }
        uv.pointee.emfile_fd = -1
    }

    /// Opens the reserve descriptor again. Returns `false` if the process is out of descriptors.
    fileprivate func refillReserve() -> Bool {
        if uv.pointee.emfile_fd < 0 { uv.pointee.emfile_fd = Descriptor.placeholder() }
        return uv.pointee.emfile_fd >= 0
    }
}
