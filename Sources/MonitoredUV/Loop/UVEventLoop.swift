import CLibUV

/// A libuv loop that reports each of its dispatches.
///
/// A loop belongs to one thread at a time: the one that created it, then the one that runs it. Create and use handles
/// there. Other threads may use ``execute(name:file:line:function:_:)``, ``stop()``, ``monitoring``, and the other members
/// whose documentation says so.
///
/// ```swift
/// let loop = try UVEventLoop { state in
///     if state.callbackWallTime > .milliseconds(100) { print(state) }
/// }
/// loop.callLater(.seconds(1)) { print("one second later") }
/// try loop.run()
/// try loop.close()
/// ```
///
/// The corresponding libuv type is `uv_loop_t`.
public final class UVEventLoop: Sendable {
    /// The modes of ``run(_:)``, which determine when it returns.
    ///
    /// An iteration runs idle hooks, prepare hooks, posted work, the poll with the callbacks of its I/O, check hooks,
    /// posted work, and completions of closed handles, in this order. Timers run between two iterations: at the start
    /// of an iteration up to libuv 1.44, at its end since 1.45.
    public enum RunMode: Sendable {
        /// Runs until nothing is left to do, or until ``UVEventLoop/stop()``.
        case untilDone
        /// Runs one iteration; if nothing is ready, waits for I/O or the next timer. Continues waiting if it woke for a
        /// timer that was canceled or rescheduled.
        case once
        /// Runs one iteration without waiting.
        case noWait
    }

    /// Confined to the loop's thread, except for members marked as safe from any thread: each public member checks the
    /// thread or uses only those.
    nonisolated(unsafe) let core: LoopCore
    let shared: LoopShared

    /// Creates a loop that belongs to this thread until another one runs it.
    ///
    /// Also installs an empty `SIGPIPE` handler, unless there is a handler already, and opens `/dev/null` on each closed
    /// descriptor from 0 to 2.
    ///
    /// - Parameters:
    ///   - name: The name in monitors, traces, and messages; `loop-1`, `loop-2` … by default, where the numbers of freed
    ///     loops are reused. If another open loop has the name, the loop is called `name#2`, and so on.
    ///   - monitor: Called after each dispatch, on the loop's thread; see ``Monitoring/setMonitor(_:)``.
    /// - Throws: ``UVError`` if the system has no descriptors left. The corresponding libuv function is `uv_loop_init`.
    public init(
        name: String? = nil,
        monitor: sending ((borrowing IOLoopMonitorState) -> Void)? = nil
    ) throws(UVError) {
        let environment = MonitoringEnvironment.shared
        core = try LoopCore(name: name, monitor: LoopMonitor(monitor), level: environment.level)
        shared = core.shared
        core.publicLoop = PublicLoop(self)
        environment.apply(to: monitoring)
    }

    deinit {
        core.publicLoop = nil
        core.tearDown()
    }

    /// The name given at creation, made unique.
    public var name: String { shared.name.text }

    /// The loop's level, monitors, snapshots, and watchdog. Any thread.
    public var monitoring: Monitoring { Monitoring(loop: shared) }

    /// Sets, replaces, or removes the monitor as ``Monitoring/setMonitor(_:)`` does, but only from the loop's own
    /// thread: the closure may capture values that belong to the loop. Traps on any other thread.
    public func setMonitor(_ monitor: ((borrowing IOLoopMonitorState) -> Void)?) {
        shared.preconditionOnOwnThread("setMonitor")
        shared.requestMonitor(LoopMonitor(monitor))
        if !shared.isClosed { core.recorder.applySettings() }
    }

    /// Adds a monitor as ``Monitoring/addMonitor(_:)`` does, but only from the loop's own thread: the closure may
    /// capture values that belong to the loop. Traps on any other thread.
    @discardableResult
    public func addMonitor(_ monitor: @escaping (borrowing IOLoopMonitorState) -> Void) -> MonitoringSubscription {
        shared.preconditionOnOwnThread("addMonitor")
        defer { if !shared.isClosed { core.recorder.applySettings() } }
        return shared.addMonitor(LoopMonitor(monitor))
    }

    /// Runs the loop on this thread, which owns it from then on.
    ///
    /// Active handles, requests, posted closures, jobs, scheduled callbacks, and sleeping tasks keep `run` alive. To wait
    /// only for posts from other threads, keep a ``UVAsync`` open. Traps if the loop is already running, even in one of
    /// its own callbacks.
    ///
    /// - Returns: Whether anything is left to do: `true` after ``stop()`` with work pending.
    /// - Throws: ``UVError/Code/invalidArgument`` if the loop is closed; ``UVError/Code/tooManyOpenFiles`` on Linux, if
    ///   the main thread runs a loop for the first time and no descriptor is left for the main queue.
    ///
    /// The corresponding libuv function is `uv_run`.
    @discardableResult
    public func run(_ mode: RunMode = .untilDone) throws(UVError) -> Bool { try core.run(mode, as: self) }

    /// Ends the run after the current iteration. Any thread, including from a callback.
    ///
    /// If the loop is not running, the next run returns immediately. Pending work stays pending, and the loop can be
    /// run again. The corresponding libuv function is `uv_stop`.
    public func stop() {
        if shared.isRunningHere { return core.stop() }
        shared.stopRequested.store(true, ordering: .releasing)
        shared.wakeUp.send()
    }

    /// Frees the loop. Any thread, while the loop is not running; a second call does nothing. Handles that are already
    /// closing finish, unless they have a completion to call, and those of ``onSignal(_:name:file:line:function:_:)`` are
    /// closed.
    ///
    /// - Throws: ``UVError/Code/busy``, naming the open handles and the numbers of pending requests, closures, jobs,
    ///   scheduled callbacks, and sleeping tasks, in which case nothing has changed; ``UVError/Code/invalidArgument``
    ///   for the main loop of `runMain`. Traps while the loop is running: call ``stop()`` first. The corresponding
    ///   libuv function is `uv_loop_close`.
    public func close() throws(UVError) { try core.close() }

    /// Whether the current thread owns the loop.
    public var inEventLoop: Bool { shared.isOnOwnThread }

    /// Traps, naming the place of the call, unless the current thread owns the loop.
    public func preconditionInEventLoop(file: StaticString = #fileID, line: UInt = #line) {
        shared.preconditionOnOwnThread("\(file):\(line)")
    }

    /// The loop whose callback is running on the current thread; `nil` outside of a callback.
    public static var current: UVEventLoop? { CurrentLoop.loop }

    /// Names the dispatch that is running on this thread. A web framework's middleware would pass the route.
    ///
    /// The last name set in a dispatch counts. If one read holds several requests, give each its own dispatch with
    /// `callSoon`, so that each has its own time and name. Does nothing outside of a loop, or at level `off`.
    ///
    /// Values in a path are masked, so that `GET /users/42` and `GET /users/7` count as one `GET /users/_`: digits,
    /// UUIDs, hexadecimal numbers, tokens, and segments of more than 32 bytes. The query is dropped. Versions such as
    /// `/v2/` are kept. If you know the route's template, pass it to ``nameCurrentDispatch(route:)``, which does not
    /// mask. Names are cut to 256 bytes. The process keeps 4,096 names; those not used recently become `_OTHER`.
    ///
    /// In a task, the name applies to everything the task does from then on, on every loop, until it is renamed; `nil`
    /// restores the default names of its later dispatches. The names of the 8,192 youngest tasks are kept, as long as
    /// at most 4,096 different names are in use.
    public static func nameCurrentDispatch(_ name: String?) {
        setCurrentName(name.map { PathMask.mask(CallbackName.cut($0)) })
    }

    /// Names the dispatch that is running on this thread with a route's template, such as `GET /v2/users/:id`, which is
    /// not masked. Otherwise like ``nameCurrentDispatch(_:)``.
    public static func nameCurrentDispatch(route: String) { setCurrentName(route) }

    private static func setCurrentName(_ text: @autoclosure () -> String?) {
        guard let recorder = CurrentLoop.loop?.core.recorder ?? ForeignRecorder.ofThread?.recorder, recorder.isOn
        else { return }
        let name = text().map { CallbackName(passing: $0) } ?? .unnamed
        if name != .unnamed { recorder.rename(name) }
        if JobLayout.isKnown, let task = Job.current { TaskNames.set(name, of: task.id) }
    }
}

extension UVEventLoop: CustomStringConvertible {
    /// `UVEventLoop 'name'`.
    public var description: String { "UVEventLoop '\(name)'" }
}

extension UVEventLoop.RunMode {
    var uv: uv_run_mode {
        switch self {
        case .untilDone: UV_RUN_DEFAULT
        case .once: UV_RUN_ONCE
        case .noWait: UV_RUN_NOWAIT
        }
    }
}
