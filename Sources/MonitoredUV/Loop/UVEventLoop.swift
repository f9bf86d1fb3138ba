import CLibUV

/// A libuv loop that reports every dispatch it makes.
///
/// A loop belongs to one thread at a time: the one that created it, then the one that runs it. Handles are made and
/// used there. From other threads, ``execute(name:file:line:function:_:)``, ``stop()`` and ``monitoring`` may be used.
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
    /// The modes of ``run(_:)``: when it returns.
    ///
    /// An iteration runs idle hooks, prepare hooks, posted work, the poll with the callbacks of its I/O, check hooks,
    /// posted work, and completions of closed handles, in this order. Timers run between two iterations: at the beginning
    /// of one up to libuv 1.44, at its end from 1.45 on.
    public enum RunMode: Sendable {
        /// Until nothing is left to do, or ``UVEventLoop/stop()``.
        case untilDone
        /// One iteration; waits for I/O, or until the next timer is due, if nothing is ready. Goes on waiting if it woke for
        /// a timer that was canceled or put off.
        case once
        /// One iteration; does not wait.
        case noWait
    }

    /// Confined to the loop's thread, but for what its type marks as open to any: each public member checks the thread
    /// or uses only that.
    nonisolated(unsafe) let core: LoopCore
    let shared: LoopShared

    /// Makes a loop that belongs to this thread until another one runs it.
    ///
    /// The first loop of a process installs a handler of `SIGPIPE` that does nothing, unless there is one, and opens
    /// `/dev/null` on each of the descriptors 0 to 2 that is closed.
    ///
    /// - Parameters:
    ///   - name: What monitors, traces and messages call the loop; `loop-1`, `loop-2` … by default, where the
    ///     number of a loop that is gone is used again. While another open loop has this name, the loop is called
    ///     `name#2`, and so on.
    ///   - monitor: Told of each dispatch after it ended, on the loop's thread; see ``Monitoring/setMonitor(_:)``.
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

    /// The monitor, and where the loop's time goes. Any thread.
    public var monitoring: Monitoring { Monitoring(loop: shared) }

    /// Sets, replaces or removes the monitor as ``Monitoring/setMonitor(_:)`` does, from the loop's own thread alone:
    /// the closure may capture what belongs to the loop. Traps on any other thread.
    public func setMonitor(_ monitor: ((borrowing IOLoopMonitorState) -> Void)?) {
        shared.preconditionOnOwnThread("setMonitor")
        shared.requestMonitor(LoopMonitor(monitor))
        if !shared.isClosed { core.recorder.applySettings() }
    }

    /// Adds a monitor as ``Monitoring/addMonitor(_:)`` does, from the loop's own thread alone: the closure may capture what
    /// belongs to the loop. Traps on any other thread.
    @discardableResult
    public func addMonitor(_ monitor: @escaping (borrowing IOLoopMonitorState) -> Void) -> MonitoringSubscription {
        shared.preconditionOnOwnThread("addMonitor")
        defer { if !shared.isClosed { core.recorder.applySettings() } }
        return shared.addMonitor(LoopMonitor(monitor))
    }

    /// Runs the loop on this thread, which from then on owns it.
    ///
    /// Active handles, requests, posted closures, jobs, scheduled callbacks, and sleeping tasks keep a run going; a loop
    /// that only waits for other threads to post needs an open ``UVAsync`` to stay. Running a loop that runs already, also from inside one of its callbacks, is a bug and traps.
    ///
    /// - Returns: Whether anything is left to do: `true` after ``stop()`` with work pending.
    /// - Throws: ``UVError/Code/invalidArgument`` if the loop is closed; ``UVError/Code/tooManyOpenFiles`` if the main
    ///   thread runs a loop for the first time, on Linux, and no descriptor is left for its queue.
    ///
    /// The corresponding libuv function is `uv_run`.
    @discardableResult
    public func run(_ mode: RunMode = .untilDone) throws(UVError) -> Bool { try core.run(mode, as: self) }

    /// Ends the run when the current iteration is through. Any thread, also from inside a callback.
    ///
    /// While the loop does not run, the request waits for the next run, which then returns at once. What was pending
    /// stays so, and the loop can be run again. The corresponding libuv function is `uv_stop`.
    public func stop() {
        if shared.isRunningHere { return core.stop() }
        shared.stopRequested.store(true, ordering: .releasing)
        shared.wakeUp.send()
    }

    /// Frees the loop. Any thread, while the loop does not run; a second call does nothing. Handles that are closing already
    /// finish, and those of ``onSignal(_:name:file:line:function:_:)`` are closed.
    ///
    /// - Throws: ``UVError/Code/busy``, with the handles that are still open and the counts of requests, closures, jobs,
    ///   scheduled callbacks, and sleeping tasks that still wait, in which case nothing has changed;
    ///   ``UVError/Code/invalidArgument`` for the main loop of `runMain`. The corresponding libuv function is `uv_loop_close`.
    public func close() throws(UVError) { try core.close() }

    /// Whether this is the thread that the loop belongs to.
    public var inEventLoop: Bool { shared.isOnOwnThread }

    /// Traps, with the place of the call, unless this is the thread that the loop belongs to.
    public func preconditionInEventLoop(file: StaticString = #fileID, line: UInt = #line) {
        shared.preconditionOnOwnThread("\(file):\(line)")
    }

    /// The loop whose callback is running on this thread; `nil` outside of one.
    public static var current: UVEventLoop? { CurrentLoop.loop }

    /// Names the dispatch that is running on this thread, for the monitor: what a web framework's middleware calls with
    /// the route.
    ///
    /// The last name of a dispatch counts. Where one read holds several requests, give each a dispatch of its own with
    /// `callSoon`, so that each has its own time and name. Does nothing outside of a loop or on one without a monitor.
    ///
    /// Values in a path are masked, so that `GET /users/42` and `GET /users/7` count as one `GET /users/_`: digits, UUIDs,
    /// hexadecimal numbers, tokens, and segments of more than 32 bytes. Versions such as `/v2/` are kept. If you know the
    /// route's template, ``nameCurrentDispatch(route:)`` takes it as it is. Names are cut to 256 bytes. The process keeps
    /// 4,096 of them; those that have not been used lately become `_OTHER`.
    ///
    /// In a task the name holds for all that the task does from then on, on every loop, until it is given another one;
    /// `nil` gives its later dispatches their own names again.
    /// The names of the 8,192 youngest tasks are kept, as long as there are no more than 4,096 different ones in use.
    public static func nameCurrentDispatch(_ name: String?) {
        setCurrentName(name.map { PathMask.mask(CallbackName.cut($0)) })
    }

    /// Names the dispatch that is running on this thread by a route's template, such as `GET /v2/users/:id`, which is not
    /// masked. For everything else see ``nameCurrentDispatch(_:)``.
    public static func nameCurrentDispatch(route: String) { setCurrentName(route) }

    private static func setCurrentName(_ text: @autoclosure () -> String?) {
        guard let core = CurrentLoop.loop?.core, core.recorder.isOn else { return }
        let name = text().map { CallbackName(passing: $0) } ?? .unnamed
        if name != .unnamed { core.recorder.rename(name) }
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
