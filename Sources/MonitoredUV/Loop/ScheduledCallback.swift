/// A callback that waits for its time on a loop: what `callLater` and `callAt` return.
///
/// It belongs to the loop's thread; use on any other traps. Letting go of it changes nothing.
public struct ScheduledCallback {
    private let core: LoopCore
    private let token: TimerToken

    init(_ core: LoopCore, _ token: TimerToken) {
        self.core = core
        self.token = token
    }

    /// Ends the wait: the callback is released, and not called any more. Does nothing if it was called already.
    public func cancel() {
        core.preconditionOnOwnThread("ScheduledCallback.cancel()")
        _ = core.unschedule(token)
    }

    /// Calls back after `delay` instead, counted from now; a repeating callback then goes on with its interval. Postponing
    /// a timeout on every sign of life costs next to nothing.
    ///
    /// - Returns: `false` if the callback was called or canceled already; nothing changes then.
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
    /// The call is never early against the monotonic clock, however long the callbacks before it took. The loop wakes up at
    /// whole milliseconds: what that adds to a finer delay is visible as lag. Callbacks come in the order of their instants;
    /// one without a delay may come before others that are overdue.
    /// A delay of zero or less comes in the loop's next iteration; from within a timer, up to a millisecond later, so
    /// that timers that start each other leave their turn to I/O. A delay beyond 126 years counts as 126 years. The clock
    /// stands still while the machine sleeps.
    ///
    /// A callback that waits keeps a run of the loop going; where it must not, use a ``UVTimer`` and `unref()`. It costs
    /// about 50 bytes, and is fast to start, cancel, and put off, so that every connection can have its timeout. The loop keeps
    /// that memory for later callbacks until none waits.
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

    /// Calls `body` after `delay`, and from then on every `interval`, until the ``ScheduledCallback`` passed to it is canceled.
    ///
    /// The times are counted from the first; a loop that was busy for longer than an interval skips those that have passed
    /// instead of making up for them. An interval of zero or less counts as a nanosecond: the callback comes whenever the
    /// loop looks at its timers. For everything else see ``callLater(_:name:file:line:function:_:)``.
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

    /// Calls `body` once at `instant`, in the loop's next iteration if that has passed; see ``callLater(_:name:file:line:function:_:)``.
    ///
    /// The wait is fixed when this is called: it does not shrink while the machine sleeps.
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
