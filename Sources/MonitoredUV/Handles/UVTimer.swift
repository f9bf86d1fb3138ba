import CLibUV

/// Calls a closure once after a delay, or repeatedly, with libuv's own timer. For the many timeouts of a server,
/// ``UVEventLoop/callLater(_:name:file:line:function:_:)`` is faster and smaller.
///
/// A timer is never early by the monotonic clock, no matter how long earlier callbacks took. libuv's timers count whole
/// milliseconds: a finer delay is rounded up, and the time that rounding adds appears as lag. The clock stands still
/// while the machine sleeps.
///
/// The corresponding libuv type is `uv_timer_t`.
public final class UVTimer: UVHandle {
    @exclusivity(unchecked) private var callback: ((UVTimer) -> Void)?
    private let site: CallbackName
    /// The requested instant, in nanoseconds.
    @exclusivity(unchecked) private var due: UInt64 = 0
    @exclusivity(unchecked) private var interval: UInt64 = 0
    @exclusivity(unchecked) private var wasStarted = false

    /// Creates a timer on `loop`, whose thread this must be, without starting it. Traps on a closed loop.
    public init(
        on loop: UVEventLoop,
        name: DispatchName? = nil,
        file: StaticString = #fileID,
        line: UInt = #line,
        function: StaticString = #function,
        _ callback: @escaping (UVTimer) -> Void
    ) {
        self.callback = callback
        site = loop.core.recorder.name(of: CallSite(name, file, line, function))
        super.init(loop.core) { loop, raw in UVError.require(uv_timer_init(loop, raw), "uv_timer_init") }
    }

    /// Starts the timer: it calls back after `delay`, and then every `interval`, if given. A running timer is
    /// restarted.
    ///
    /// A delay of zero or less fires in the loop's next iteration, or up to a millisecond later if started from a
    /// timer, so that timers that start each other leave I/O its turn. A delay beyond 126 years counts as 126 years. As
    /// in libuv, an interval is counted from when the loop reached the timer, so a busy loop skips ticks instead of
    /// making up for them; an interval of zero or less counts as none. Traps on a closed timer.
    ///
    /// The corresponding libuv function is `uv_timer_start`.
    public func start(after delay: Duration, repeating interval: Duration? = nil) {
        start(after: delay.nanosecondsClamped, repeating: interval?.nanosecondsClamped ?? 0)
    }

    private func start(after delay: UInt64, repeating interval: UInt64) {
        guard requireOpen("start(after:)") else { return }
        wasStarted = true
        self.interval = interval
        due = core.clock.now() + delay
        // libuv adds the timeout to its cached time; subtracting that time makes the sum the first millisecond not
        // before `due`. A timer due at once gets the cached time itself, or the next millisecond if started from a
        // timer: otherwise libuv would never finish running timers that start each other.
        let timeout = delay == 0 ? (core.currentRun.isInTimer ? 1 : 0) : due.roundedUpToMilliseconds - uv_now(core.uv)
        let status = uv_timer_start(timer, { UVTimer.fire($0) }, timeout, interval.roundedUpToMilliseconds)
        UVError.require(status, "uv_timer_start")
    }

    /// Stops the timer without calling back. The timer can be started again. The corresponding libuv function is
    /// `uv_timer_stop`.
    public func stop() { if isOpenHere { UVError.require(uv_timer_stop(timer), "uv_timer_stop") } }

    /// Restarts a repeating timer with its interval as the delay, as a connection's timeout does whenever the peer
    /// shows activity. Does nothing to a timer without an interval.
    ///
    /// - Throws: ``UVError/Code/invalidArgument`` if the timer was never started.
    ///
    /// The corresponding libuv function is `uv_timer_again`.
    public func again() throws(UVError) {
        try checkOpen("uv_timer_again")
        if !wasStarted {
            throw UVError(.invalidArgument, operation: "uv_timer_again", detail: "\(self) was never started")
        }
        if interval > 0 { start(after: interval, repeating: interval) }
    }

    /// The time between calls of a repeating timer; a change takes effect after the next call.
    ///
    /// The corresponding libuv functions are `uv_timer_get_repeat` and `uv_timer_set_repeat`.
    public var repeatInterval: Duration? {
        get { interval == 0 ? nil : Duration(nanoseconds: interval) }
        set {
            guard requireOpen("repeatInterval") else { return }
            interval = newValue?.nanosecondsClamped ?? 0
            uv_timer_set_repeat(timer, interval.roundedUpToMilliseconds)
        }
    }

    /// The time until the timer is due; zero if it is overdue, `nil` if it is not running.
    public var dueIn: Duration? {
        guard isActive else { return nil }
        let now = core.clock.now()
        return Duration(nanoseconds: due > now ? due - now : 0)
    }

    private var timer: UnsafeMutablePointer<uv_timer_t> { rawPointer() }

    private static func fire(_ raw: UnsafeMutablePointer<uv_timer_t>?) {
        withHandle(of: raw) { (timer: UVTimer) in timer.fire() }
    }

    @inline(__always)
    private func fire() {
        let due = self.due
        // libuv has already rearmed a repeating timer, counting from its cached time.
        if interval > 0 { self.due = uv_now(core.uv) * 1_000_000 + interval }
        core.currentRun.ranBeforePoll = true
        core.currentRun.isInTimer = true
        defer { core.currentRun.isInTimer = false }
        core.dispatch(.timer, dispatchName(site), .exact(due, .timer)) { callback?(self) }
    }

    override func dropCallbacks() { callback = nil }
    override var registeredName: CallbackName { site }
}
