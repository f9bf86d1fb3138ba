/// A callback scheduled on a loop, as returned by `callLater` and `callAt`.
///
/// It belongs to the loop's thread; using it on any other thread traps. Releasing it does not cancel the callback.
public struct ScheduledCallback {
    private let core: LoopCore
    private let token: TimerToken

    init(_ core: LoopCore, _ token: TimerToken) {
        self.core = core
        self.token = token
    }

    /// Cancels the callback, which is released and no longer called. Does nothing if it was already canceled,
    /// or called for the only time.
    public func cancel() {
        core.preconditionOnOwnThread("ScheduledCallback.cancel()")
        _ = core.unschedule(token)
    }

    /// Changes the time of the next call to `delay` from now; a repeating callback then continues with its interval.
    /// Postponing a timeout whenever the peer shows activity costs next to nothing.
    ///
    /// - Returns: `false` if the callback was already canceled, or called for the only time; nothing changes then.
    @discardableResult
    public func reschedule(after delay: Duration) -> Bool {
        core.preconditionOnOwnThread("ScheduledCallback.reschedule(after:)")
        return core.reschedule(token, after: delay.nanosecondsClamped)
    }

    /// Whether the callback will still be called. For a repeating callback this is true until it is canceled.
    public var isPending: Bool { dueIn != nil }

    /// The time until the callback is due; zero if it is overdue, `nil` if it is not pending.
    public var dueIn: Duration? {
        core.preconditionOnOwnThread("ScheduledCallback.dueIn")
        guard let due = core.timers.due(token) else { return nil }
        let now = core.clock.now()
        return Duration(nanoseconds: due > now ? due - now : 0)
    }
}

extension ScheduledCallback: CustomStringConvertible {
    /// `ScheduledCallback, due in 12 ms`.
    public var description: String {
        dueIn.map { "ScheduledCallback, due in \($0.brief)" } ?? "ScheduledCallback, not pending"
    }
}

extension UVEventLoop {
    /// Calls `body` once, after `delay`.
    ///
    /// The call is never early by the monotonic clock, no matter how long earlier callbacks took. The loop wakes up at
    /// whole milliseconds; the time this adds to a finer delay appears as lag. Callbacks run in the order of their due
    /// times; one without a delay may run before others that are overdue. A delay of zero or less runs in the loop's
    /// next iteration, or up to a millisecond later if scheduled from a timer, so that timers that schedule each other
    /// leave I/O its turn. A delay beyond 126 years counts as 126 years. The clock stands still while the machine
    /// sleeps.
    ///
    /// A pending callback keeps `run` alive; to avoid that, use a ``UVTimer`` and `unref()`. It takes about 50 bytes
    /// and is fast to start, cancel, and reschedule, so every connection can have its own timeout. The loop keeps that
    /// memory for later callbacks until none is pending.
    ///
    /// Traps on any thread but the loop's, and on a closed loop.
    @discardableResult
    public func callLater(
        _ delay: Duration,
        name: DispatchName? = nil,
        file: StaticString = #fileID,
        line: UInt = #line,
        function: StaticString = #function,
        _ body: @escaping () -> Void
    ) -> ScheduledCallback {
        let name = scheduledName(CallSite(name, file, line, function))
        return ScheduledCallback(core, core.schedule(after: delay.nanosecondsClamped, .once(name, body)))
    }

    /// Calls `body` after `delay` and then every `interval`, until the ``ScheduledCallback`` passed to it is canceled.
    ///
    /// Times are counted from the first call; a loop that was busy for longer than an interval skips missed calls
    /// instead of making up for them. An interval of zero or less counts as one nanosecond: the callback runs whenever
    /// the loop checks its timers. Otherwise like ``callLater(_:name:file:line:function:_:)``.
    @discardableResult
    public func callLater(
        _ delay: Duration,
        repeating interval: Duration,
        name: DispatchName? = nil,
        file: StaticString = #fileID,
        line: UInt = #line,
        function: StaticString = #function,
        _ body: @escaping (ScheduledCallback) -> Void
    ) -> ScheduledCallback {
        let name = scheduledName(CallSite(name, file, line, function))
        let callback = RepeatingCallback(name, max(interval.nanosecondsClamped, 1)) { [unowned core] token in
            body(ScheduledCallback(core, token))
        }
        let token = core.schedule(after: delay.nanosecondsClamped, .repeating(callback))
        callback.token = token
        return ScheduledCallback(core, token)
    }

    /// Calls `body` once at `instant`, or in the loop's next iteration if that has passed; see
    /// ``callLater(_:name:file:line:function:_:)``.
    ///
    /// The delay is fixed when this is called: it does not shrink while the machine sleeps.
    @discardableResult
    public func callAt(
        _ instant: ContinuousClock.Instant,
        name: DispatchName? = nil,
        file: StaticString = #fileID,
        line: UInt = #line,
        function: StaticString = #function,
        _ body: @escaping () -> Void
    ) -> ScheduledCallback {
        let delay = ContinuousClock.now.duration(to: instant)
        return callLater(delay, name: name, file: file, line: line, function: function, body)
    }

    /// Returns the name of a callback, after checking the thread and that the loop is open.
    @inline(__always)
    private func scheduledName(_ site: CallSite) -> CallbackName {
        core.preconditionOnOwnThread("callLater, \(site.text),")
        if core.isClosed {
            fatalError(
                "callLater was called on UVEventLoop '\(core.name.text)' after it was closed. Make a new loop instead."
            )
        }
        return core.recorder.name(of: site)
    }
}
