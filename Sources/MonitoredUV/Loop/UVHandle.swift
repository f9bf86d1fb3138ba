import CLibUV

/// The base class of handles: long-lived objects of libuv, such as timers and sockets, which exist until they are closed.
///
/// A handle belongs to its loop's thread; using it on any other thread traps. The loop keeps an open handle alive, so
/// you need not store it, but you must call ``close(name:file:line:function:_:)``: a loop cannot be closed before its
/// handles.
///
/// On a closed handle, throwing operations throw ``UVError/Code/badFileDescriptor``; stopping, closing in any way,
/// ``ref()`` and ``unref()`` do nothing; properties can still be read; and starting a timer or a hook traps.
///
/// The corresponding libuv type is `uv_handle_t`.
public class UVHandle {
    final let core: LoopCore
    final let raw: UnsafeMutablePointer<uv_handle_t>
    @exclusivity(unchecked) private final var state = State.open
    @exclusivity(unchecked) private final var explicitName = CallbackName.unnamed
    /// The number of completions waiting in the loop's queue, which later ones must not overtake.
    @exclusivity(unchecked) private(set) final var pendingPosts = 0
    @exclusivity(unchecked) private final var closeCompletions: [CloseCompletion] = []
    /// Whether the loop's `close()` also closes the handle.
    @exclusivity(unchecked) final var closesWithLoop = false

    private enum State { case open, closing, closed }
    private typealias CloseCompletion = (site: CallSite, requested: UInt64, body: () -> Void)

    /// Allocates the C struct and sets it up with `initialize`. The handle then lives until libuv reports that it is
    /// closed.
    init<Raw, Failure>(
        _ core: LoopCore,
        _ initialize: (UnsafeMutablePointer<uv_loop_t>, UnsafeMutablePointer<Raw>) throws(Failure) -> Void
    ) throws(Failure) {
        core.preconditionOnOwnThread("\(Self.self).init")
        if core.isClosed {
            if let error = core.shared.closedError("\(Self.self).init") as? Failure { throw error }
            fatalError(
                "a handle was made on UVEventLoop '\(core.name.text)' after it was closed. Make a new loop instead."
            )
        }
        let raw = core.handleMemory.allocate(Raw.self)
        do { try initialize(core.uv, raw) } catch {
            core.handleMemory.deallocate(unused: raw)
            throw error
        }
        self.core = core
        self.raw = raw.handle
        self.raw.pointee.data = Unmanaged.passRetained(self).toOpaque()
        core.members.handleBalance.created += 1
        core.vitals.handles.add(1, Int(self.raw.pointee.type.rawValue))
    }

    /// The name of this handle's dispatches, replacing the default, the place where their callbacks were registered.
    /// Names are cut to 256 bytes; a new name becomes `_OTHER` while handles and `DispatchName`s use 4,096 others.
    /// Names of requests and tasks share these 4,096, so do not name each of thousands of connections.
    public final var name: String {
        get {
            core.preconditionOnOwnThread("\(self)")
            return explicitName.text
        }
        set {
            core.preconditionOnOwnThread("\(self)")
            let old = explicitName
            explicitName = CallbackName(pinned: newValue)
            old.release()
        }
    }

    /// The loop that the handle was created on. Traps if that loop has been released.
    public final var loop: UVEventLoop {
        core.preconditionOnOwnThread("\(self)")
        guard let publicLoop = core.publicLoop else {
            fatalError("the loop of this \(Self.self) was released before the handle. Keep a reference to the loop.")
        }
        return unsafeDowncast(publicLoop.object.takeUnretainedValue(), to: UVEventLoop.self)
    }

    /// Whether the handle is at work: a started timer, or a stream that is reading, listening, or writing.
    ///
    /// The corresponding libuv function is `uv_is_active`.
    public final var isActive: Bool { isOpenHere && (uv_is_active(raw) != 0 || isHelped) }

    /// Whether ``close(name:file:line:function:_:)`` was called. The corresponding libuv function is `uv_is_closing`.
    public final var isClosing: Bool {
        core.preconditionOnOwnThread("\(self)")
        return state != .open
    }

    /// Whether the handle keeps `run` alive while it is active, the default. Setting this is equivalent to calling
    /// ``ref()`` or ``unref()``.
    ///
    /// The corresponding libuv function is `uv_has_ref`.
    public final var keepsLoopAlive: Bool {
        get { isOpenHere && uv_has_ref(raw) != 0 }
        set { if newValue { ref() } else { unref() } }
    }

    /// Lets an active handle keep `run` alive again, the default.
    ///
    /// The corresponding libuv function is `uv_ref`.
    public final func ref() {
        guard isOpenHere else { return }
        uv_ref(raw)
        refChanged(true)
    }

    /// Lets `run` return while the handle is active. The corresponding libuv function is `uv_unref`.
    public final func unref() {
        guard isOpenHere else { return }
        uv_unref(raw)
        refChanged(false)
    }

    /// Closes the handle and stops its work; pending requests complete with ``UVError/Code/canceled``.
    ///
    /// `completion` runs once the handle is fully closed, in the loop's next iteration at the latest. A handle may be
    /// closed any number of times; each call's completion runs once. The corresponding libuv function is `uv_close`.
    public final func close(
        name: DispatchName? = nil,
        file: StaticString = #fileID,
        line: UInt = #line,
        function: StaticString = #function,
        _ completion: (() -> Void)? = nil
    ) {
        close(CallSite(name, file, line, function), completion)
    }

    final func close(_ site: CallSite, _ completion: (() -> Void)?) {
        guard beginClose(site, completion) else { return }
        uv_close(raw, UVHandle.closed)
        dropCallbacks()
    }

    /// Does the part of closing that precedes libuv's. Returns `false` if the handle is already closing or closed.
    final func beginClose(_ site: CallSite, _ completion: (() -> Void)?) -> Bool {
        if core.isClosed {
            if !core.shutdown.isTearingDown { completion?() }
            return false
        }
        core.preconditionOnOwnThread("close() of \(self)")
        if state == .closed {
            if let completion, !core.shutdown.isTearingDown { post(.close, site, completion) }
            return false
        }
        if let completion { closeCompletions.append((site, core.clock.now(), completion)) }
        if state == .closing { return false }
        state = .closing
        willClose()
        return true
    }

    /// Whether the handle makes the loop's `close()` fail. It does not if it closes with the loop, or is closing
    /// without completions to call.
    final var keepsLoopOpen: Bool { state == .open ? !closesWithLoop : !closeCompletions.isEmpty }

    deinit { explicitName.release() }

    /// The callback that libuv calls once the handle is closed.
    static let closed: uv_close_cb = { raw in
        Unmanaged<UVHandle>.fromOpaque(raw!.pointee.data).takeRetainedValue().finishClose()
    }

    private final func finishClose() {
        state = .closed
        if _slowPath(core.activity.isIdle) { core.stopIdling() }
        core.members.handleBalance.freed += 1
        core.vitals.handles.add(-1, Int(raw.pointee.type.rawValue))
        core.handleMemory.deallocate(raw)
        if core.shutdown.isTearingDown { return }
        core.descriptorMayBeFree()
        while let (site, requested) = closeCompletions.first.map({ ($0.site, $0.requested) }) {
            // Completions posted earlier come first.
            if pendingPosts > 0 {
                post(.close, site, readySince: requested, closeCompletions.removeFirst().body)
            } else {
                core.dispatch(
                    .close,
                    dispatchName(core.recorder.name(of: site)),
                    .exact(requested, .completion)
                ) {
                    closeCompletions.removeFirst().body()
                }
            }
        }
    }

    /// Whether another libuv handle works on behalf of this one.
    var isHelped: Bool { false }

    /// Called when the handle is referenced or unreferenced, to do the same to the handle that works on its behalf.
    func refChanged(_ hasRef: Bool) {}

    /// Called when closing begins, the last moment at which the C struct may be passed to other threads.
    func willClose() {}

    /// Releases the callbacks, which libuv no longer calls; one of them may be running.
    func dropCallbacks() {}

    /// Dispatches `body` in the next drain, under this handle's name.
    final func post(_ kind: CallbackKind, _ site: CallSite, readySince: UInt64? = nil, _ body: @escaping () -> Void) {
        pendingPosts += 1
        core.post(kind, site, readySince: readySince) { [self] in
            pendingPosts -= 1
            core.recorder.rename(dispatchName(core.recorder.currentName))
            body()
        }
    }

    /// Returns the explicit name, or else `registered`, the place where the callback was registered.
    @inline(__always)
    final func dispatchName(_ registered: CallbackName) -> CallbackName {
        explicitName == .unnamed ? registered : explicitName
    }

    /// Whether the handle is still open. Traps on any thread but the loop's.
    @inline(__always)
    final var isOpenHere: Bool {
        core.preconditionOnOwnThread("\(self)")
        return state == .open
    }

    /// Throws if the handle was closed, where libuv would read freed memory.
    @inline(__always)
    final func checkOpen(_ operation: StaticString) throws(UVError) {
        if !isOpenHere { throw UVError(.badFileDescriptor, operation: "\(operation)", detail: "\(title) was closed") }
    }

    /// Traps on a closed handle, for operations that only a bug calls there. Returns `false` instead if a group's
    /// shutdown closed it.
    final func requireOpen(_ operation: StaticString) -> Bool {
        if isOpenHere { return true }
        if core.isShuttingDown { return false }
        fatalError("\(self).\(operation) was called after close(). Make a new handle instead.")
    }

    /// Returns the C struct with its concrete type.
    @inline(__always)
    final func rawPointer<Raw>() -> UnsafeMutablePointer<Raw> {
        UnsafeMutableRawPointer(raw).assumingMemoryBound(to: Raw.self)
    }

    /// The name of the handle's callback, for messages.
    var registeredName: CallbackName { .unnamed }
}

/// A handle belongs to its loop's thread.
@available(*, unavailable)
extension UVHandle: Sendable {}

extension UVHandle: CustomStringConvertible {
    /// `UVTimer 'Server.swift:42 start()'`, followed by `(closing)` while the handle is closing.
    public var description: String {
        title + (state == .closing ? " (closing)" : "")
    }

    fileprivate var title: String {
        let name = dispatchName(registeredName).text
        return "\(Self.self)" + (name.isEmpty ? "" : " '\(name)'")
    }
}

/// Calls `body` with the open handle that owns a C struct, in libuv's callbacks.
@inline(__always)
func withHandle<Handle: UVHandle, Raw>(of raw: UnsafeMutablePointer<Raw>?, _ body: (Handle) -> Void) {
    let data = raw.unsafelyUnwrapped.handle.pointee.data.unsafelyUnwrapped  // libuv passes the handle it was given
    Unmanaged<Handle>.fromOpaque(data)._withUnsafeGuaranteedRef(body)
}
