import CLibUV

/// The base class of handles: a piece of work that libuv does for its loop until it is closed.
///
/// A handle belongs to its loop's thread; use on any other traps. An open handle is kept alive by its loop, so it needs
/// no variable, but it needs a ``close(name:file:line:function:_:)``: a loop cannot be closed before its handles are.
///
/// Once a handle is closed, its operations that can throw throw ``UVError/Code/badFileDescriptor``; stopping, closing,
/// ``ref()`` and ``unref()`` do nothing; its properties can still be read; and starting a timer or a hook traps.
///
/// The corresponding libuv type is `uv_handle_t`.
public class UVHandle {
    final let core: LoopCore
    final let raw: UnsafeMutablePointer<uv_handle_t>
    @exclusivity(unchecked) private final var state = State.open
    @exclusivity(unchecked) private final var explicitName = CallbackName.unnamed
    /// Completions that wait in the loop's queue; those that come after them must not overtake.
    @exclusivity(unchecked) private(set) final var pendingPosts = 0
    @exclusivity(unchecked) private final var closeCompletions: [CloseCompletion] = []
    /// The loop's `close()` closes the handle as well.
    @exclusivity(unchecked) final var closesWithLoop = false

    private enum State { case open, closing, closed }
    private typealias CloseCompletion = (site: CallSite, requested: UInt64, body: () -> Void)

    /// Allocates the C struct, lets `initialize` set it up, and from then on lives until libuv calls back that it is
    /// closed.
    init<Raw, Failure>(
        _ core: LoopCore,
        _ initialize: (UnsafeMutablePointer<uv_loop_t>, UnsafeMutablePointer<Raw>) throws(Failure) -> Void
    ) throws(Failure) {
        core.preconditionOnOwnThread("\(Self.self).init")
        if core.isClosed {
            if let error = core.shared.closedError("a new \(Self.self)") as? Failure { throw error }
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

    /// The name of this handle's dispatches, instead of where their callbacks were registered: the first 256
    /// bytes of what it is set to, or `_OTHER` if 4,096 other names are in use by handles and `DispatchName`s. Names of requests
    /// and tasks come from the same 4,096: do not name each of thousands of connections.
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

    /// The loop the handle was made on. Traps if that loop is gone.
    public final var loop: UVEventLoop {
        core.preconditionOnOwnThread("\(self)")
        guard let publicLoop = core.publicLoop else {
            fatalError("the loop of this \(Self.self) was released before the handle")
        }
        return unsafeDowncast(publicLoop.object.takeUnretainedValue(), to: UVEventLoop.self)
    }

    /// Whether the handle is doing something: a timer that was started, a stream that reads, listens or writes.
    ///
    /// The corresponding libuv function is `uv_is_active`.
    public final var isActive: Bool { isOpenHere && (uv_is_active(raw) != 0 || isHelped) }

    /// Whether ``close(name:file:line:function:_:)`` was called. The corresponding libuv function is `uv_is_closing`.
    public final var isClosing: Bool {
        core.preconditionOnOwnThread("\(self)")
        return state != .open
    }

    /// Whether the handle keeps `run` alive while it is active, the default. Setting this is the same as calling ``ref()`` or
    /// ``unref()``.
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

    /// Lets a run of the loop end although the handle is active. The corresponding libuv function is `uv_unref`.
    public final func unref() {
        guard isOpenHere else { return }
        uv_unref(raw)
        refChanged(false)
    }

    /// Ends the handle and all it was doing; pending requests complete with ``UVError/Code/canceled``.
    ///
    /// `completion` runs in the loop's next iteration at the latest, once nothing of the handle is left. A handle may
    /// be closed any number of times; each call's completion runs once. The corresponding libuv function is `uv_close`.
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

    /// The part of closing that comes before libuv's: `false` if the handle is closing or closed already.
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

    /// Whether the loop's `close()` has to refuse because of the handle: not if it only has to be closed, or has nothing left
    /// to call back.
    final var keepsLoopOpen: Bool { state == .open ? !closesWithLoop : !closeCompletions.isEmpty }

    deinit { explicitName.release() }

    /// The callback for when nothing of the handle is left.
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
            // Completions that were posted before come first.
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

    /// Whether another of libuv's handles works for this one.
    var isHelped: Bool { false }

    /// Called when the handle is referenced or unreferenced, to do the same to the handle that works for it.
    func refChanged(_ hasRef: Bool) {}

    /// The last moment at which the C struct may be handed to other threads.
    func willClose() {}

    /// Lets go of the callbacks, none of which libuv calls any more; one of them may be running.
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

    /// The explicit name, or `registered`, where the callback was registered.
    @inline(__always)
    final func dispatchName(_ registered: CallbackName) -> CallbackName {
        explicitName == .unnamed ? registered : explicitName
    }

    /// Checks the thread, and whether the handle may still be used.
    @inline(__always)
    final var isOpenHere: Bool {
        core.preconditionOnOwnThread("\(self)")
        return state == .open
    }

    /// Throws for a handle that was closed; libuv would read freed memory.
    @inline(__always)
    final func checkOpen(_ operation: StaticString) throws(UVError) {
        if !isOpenHere { throw UVError(.badFileDescriptor, operation: "\(operation)", detail: "\(title) was closed") }
    }

    /// For operations that only a bug can call on a closed handle, unless a group's shutdown closed it: `false` then.
    final func requireOpen(_ operation: StaticString) -> Bool {
        if isOpenHere { return true }
        if core.isShuttingDown { return false }
        fatalError("\(self).\(operation) was called after close(). Make a new handle instead.")
    }

    /// The C struct as what it is.
    @inline(__always)
    final func rawPointer<Raw>() -> UnsafeMutablePointer<Raw> {
        UnsafeMutableRawPointer(raw).assumingMemoryBound(to: Raw.self)
    }

    /// The name of a callback that the handle has, for messages.
    var registeredName: CallbackName { .unnamed }
}

/// A handle belongs to its loop's thread.
@available(*, unavailable)
extension UVHandle: Sendable {}

extension UVHandle: CustomStringConvertible {
    /// `UVTimer 'Server.swift:42 start()'`, with `(closing)` behind it where that is so.
    public var description: String {
        title + (state == .closing ? " (closing)" : "")
    }

    fileprivate var title: String {
        let name = dispatchName(registeredName).text
        return "\(Self.self)" + (name.isEmpty ? "" : " '\(name)'")
    }
}

/// Calls `body` with the handle that a C struct is of, which is open: for libuv's callbacks.
@inline(__always)
func withHandle<Handle: UVHandle, Raw>(of raw: UnsafeMutablePointer<Raw>?, _ body: (Handle) -> Void) {
    Unmanaged<Handle>.fromOpaque(raw!.handle.pointee.data)._withUnsafeGuaranteedRef(body)
}
