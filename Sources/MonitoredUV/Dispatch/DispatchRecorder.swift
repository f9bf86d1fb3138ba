/// Notes each dispatch of one loop, and reports it to the loop's monitor, whatever makes the dispatches.
///
/// It belongs to the loop's thread. What it notes is in ``LoopVitals``, for any thread. Properties are
/// `@exclusivity(unchecked)`: only that thread touches them, and none is borrowed across a call to user code.
final class DispatchRecorder {
    let vitals: LoopVitals
    let watchdog: LoopWatchdog
    let settings: MonitorSwitch
    let clock = MonotonicClock()

    /// The metrics, which the vitals keep; `nil` at level `off`.
    @exclusivity(unchecked) private var metrics: Unmanaged<LoopMetrics>?
    /// At level `callbacks`, where there is one.
    @exclusivity(unchecked) private var monitor: Unmanaged<LoopMonitor>?
    @exclusivity(unchecked) private var meter: DispatchMeter
    /// The name and kind of the dispatch that is running.
    @exclusivity(unchecked) private(set) var currentName = CallbackName.unnamed
    @exclusivity(unchecked) private(set) var currentKind = CallbackKind.posted
    /// In a batch: the last stamp is that of this instant, near enough.
    @exclusivity(unchecked) private var isStampFresh = false
    /// The timeout of the current poll, in nanoseconds; `.max` if it has none, or does not block.
    @exclusivity(unchecked) private var pollTimeout = UInt64.max
    /// Dispatches and iterations that run for longer are reported.
    @exclusivity(unchecked) private var slowLimit = UInt64.max
    /// The thread of the last run at a level above `off`.
    @exclusivity(unchecked) private var sampledThread: SampledThread?
    @exclusivity(unchecked) private var isRunning = false
    @exclusivity(unchecked) private var siteNames = CallSiteNames()
    @exclusivity(unchecked) private var deferred = DeferredReleases()

    init(_ vitals: LoopVitals, _ watchdog: LoopWatchdog, _ settings: MonitorSwitch) {
        self.vitals = vitals
        self.watchdog = watchdog
        self.settings = settings
        meter = DispatchMeter(at: clock.now(), vitals.time)
    }

    deinit { clock.free() }

    /// Whether the level is above `off`.
    @inline(__always)
    var isOn: Bool { metrics != nil }

    /// The instant to stamp things with that become ready now; 0 at level `off`.
    @inline(__always)
    var readyNow: UInt64 { isOn ? clock.now() : 0 }

    /// The instant of a stamp, or for 0 when monitoring began.
    @inline(__always)
    func ready(since stamp: UInt64) -> UInt64 { stamp == 0 ? meter.monitoredSince : stamp }

    /// The name of callbacks that were registered at `site`.
    @inline(__always)
    func name(of site: CallSite) -> CallbackName { siteNames.name(of: site) }

    // MARK: Dispatches

    /// Runs `body` as a dispatch. At level `off` it costs one branch.
    ///
    /// - Parameters:
    ///   - held: What the loop holds apart from this dispatch, asked for after it.
    ///   - isNext: In a batch, where the end of one dispatch is the start of the next: one reading of the clock serves both.
    @inline(__always)
    func dispatch(
        _ kind: CallbackKind,
        _ name: @autoclosure () -> CallbackName,
        _ readiness: @autoclosure () -> Readiness,
        held: @autoclosure () -> Int,
        isNext: Bool = false,
        _ body: () -> Void
    ) {
        if _fastPath(!isOn) {
            body()
            if _slowPath(!deferred.isEmpty) { release() }
            return
        }
        let name = name()
        let start = isNext && isStampFresh ? meter.last : clock.now()
        if isNext { isStampFresh = false }
        run(kind, name, readiness(), held: held(), start, body)
        if isNext { isStampFresh = isOn }
    }

    /// Begins a batch, and charges the time up to now to the loop itself.
    @inline(__always)
    func beginBatch() {
        isStampFresh = isOn
        guard isOn else { return }
        if meter.isPolling { leavePoll() } else { meter.stamp(at: clock.now()) }
    }

    /// Something took its time that is no part of the next dispatch; or the batch is over.
    @inline(__always)
    func breakBatch() { isStampFresh = false }

    @inline(__always)
    private func run(
        _ kind: CallbackKind,
        _ name: CallbackName,
        _ readiness: @autoclosure () -> Readiness,
        held: @autoclosure () -> Int,
        _ start: UInt64,
        _ body: () -> Void
    ) {
        if meter.isPolling { leavePoll(at: start) }
        let lag = lag(of: readiness(), start)
        currentName = name
        currentKind = kind
        meter.beginCallback(at: start)
        vitals.inFlight.begin(kind, name, at: start)
        body()
        end(kind, lag, start, held: held())
    }

    @inline(__always)
    private func lag(of readiness: Readiness, _ start: UInt64) -> DispatchLag {
        switch readiness {
        case .exact(let ready, let source): .exact(ready: ready, start: start, source)
        case .io(let handle): meter.ioLag(of: handle, start: start)
        case .notApplicable: .notApplicable
        }
    }

    /// Notes and reports the dispatch, unless its body put an end to monitoring.
    @inline(__always)
    private func end(_ kind: CallbackKind, _ lag: DispatchLag, _ start: UInt64, held: @autoclosure () -> Int) {
        if _slowPath(!deferred.isEmpty) { release() }
        guard let metrics else { return vitals.inFlight.end() }
        let now = clock.now()
        if monitor == nil { meter.stamp(at: now) } else { meter.beginMonitor(at: now) }
        let wall = now &- start
        let name = currentName
        metrics._withUnsafeGuaranteedRef {
            $0.record(kind, name, start: start, wall: wall, lag: lag, meter.polls.probablyReady)
        }
        if _slowPath(wall >= slowLimit) { reportSlow(kind, start, wall) }
        guard let monitor else { return vitals.inFlight.end() }
        vitals.inFlight.begin(kind, .monitor, at: start &+ wall)
        let state = IOLoopMonitorState(
            start: start,
            wallTime: wall,
            lag: lag,
            handles: held(),
            name: name,
            loop: vitals.name,
            kind: kind
        )
        monitor._withUnsafeGuaranteedRef { $0.call(state) }
        if _slowPath(!deferred.isEmpty) { release() }
        vitals.inFlight.end()
        // It may have put an end to monitoring.
        if isOn { meter.stamp(at: clock.now()) }
    }

    /// The running dispatch gets another name.
    func rename(_ name: CallbackName) {
        currentName = name
        vitals.inFlight.rename(currentKind, name)
    }

    /// Charges the time up to now to the loop itself, which calls back without user code to call.
    func stampLoopCode() { if isOn && meter.isPolling { leavePoll() } }

    // MARK: Iterations

    /// The loop goes into its poll.
    ///
    /// - Parameters:
    ///   - timeout: How long the poll waits at most, in nanoseconds; `.max` if it has no limit, or does not block.
    ///   - mayWrite: Enough bytes are queued that writing them takes the poll a while.
    ///   - mayRepeat: The events of all watched descriptors may not fit into one poll.
    @inline(__always)
    func enterPoll(
        timeout: @autoclosure () -> UInt64,
        mayWrite: @autoclosure () -> Bool,
        mayRepeat: @autoclosure () -> Bool
    ) {
        guard let metrics else { return }
        let now = clock.now()
        let start = meter.iterationStart
        if _slowPath(now &- start >= slowLimit) { reportSlowIteration(at: now) }
        vitals.updateOverload(metrics._withUnsafeGuaranteedRef { $0.endIteration(from: start, at: now) })
        meter.enterPoll(at: now, mayWrite: mayWrite(), mayRepeat: mayRepeat(), work: ThreadWork.read)
        pollTimeout = timeout()
    }

    /// The poll has ended, if no dispatch was first to say so.
    @inline(__always)
    func afterPoll() { if meter.isPolling { leavePoll() } }

    /// The poll ended at `now`; a change to what comes next follows.
    @inline(__always)
    private func leavePoll(at now: UInt64) {
        let waited = meter.leavePoll(at: now, work: ThreadWork.read)
        if _slowPath(waited >= pollTimeout) {
            metrics?._withUnsafeGuaranteedRef { $0.endPoll(delay: waited &- pollTimeout) }
        }
    }

    @inline(never)
    private func leavePoll() {
        let now = clock.now()
        leavePoll(at: now)
        meter.stamp(at: now)
    }

    /// The loop begins a run on this thread, within `depth` others.
    func resume(depth: Int) {
        isRunning = true
        applySettings()
        meter.resume(at: clock.now())
        watchdog.thread.depth = depth
        showThread()
    }

    /// The run ends, and perhaps the thread.
    func pause() {
        let now = clock.now()
        if isOn && now &- meter.iterationStart >= slowLimit { reportSlowIteration(at: now) }
        meter.pause(at: now)
        metrics?._withUnsafeGuaranteedRef { $0.settle() }
        if sampledThread != nil { watchdog.thread.current = nil }
        isRunning = false
    }

    // MARK: Settings

    /// Takes over what other threads asked for. May come from within a callback or the monitor, whose time goes on as if
    /// nothing had happened.
    func applySettings() {
        guard let setting = settings.take() else { return }
        let new = setting.level == .callbacks ? setting.monitor : nil
        if monitor?.toOpaque() != new.map({ Unmanaged.passUnretained($0).toOpaque() }) {
            let old = monitor
            monitor = new.map(Unmanaged.passRetained)
            if let old { deferRelease(old.takeRetainedValue(), .monitor) }
        }
        if setting.level != .off && !isOn {
            meter.beginMonitoring(at: clock.now())
            metrics = vitals.makeMetrics(at: meter.last)
        } else if setting.level == .off && isOn {
            metrics = nil
            meter.endMonitoring(at: clock.now())
            vitals.queued.set(0)
        }
        vitals.isMonitored.store(isOn, ordering: .relaxed)
        let limit = watchdog.listeners.limit
        // The watchdog thread looks for dispatches that ended before the loop knew of the limit.
        if limit < slowLimit { WatchdogThread.shared.wake() }
        slowLimit = limit
        if isRunning { showThread() }
    }

    /// Makes a dispatch that began at level `off`, and is not recorded, visible to other threads.
    func showUnmonitoredDispatch() {
        if !isOn || vitals.inFlight.current != nil { return }
        currentName = .unmonitored
        currentKind = .posted
        vitals.inFlight.begin(currentKind, currentName, at: clock.now())
        deferRelease(UnmonitoredDispatch(vitals), currentName)
    }

    /// The loop is closed: lets go of the monitor, and of all that waits for that.
    func close() {
        let last = monitor
        monitor = nil
        last?.release()
        settings.removeMonitors()
        release()
        // Those who still hold this need not hold the thread's files.
        sampledThread = nil
        watchdog.thread.forget()
    }

    // MARK: Objects of the program

    /// Keeps what may be running alive until no dispatch can be in it.
    func deferRelease(_ object: AnyObject, _ name: CallbackName) { if isRunning { deferred.append(object, name) } }

    @inline(__always)
    var hasDeferredReleases: Bool { !deferred.isEmpty }

    /// At the end of a dispatch, or of the monitor: lets go within its time. What that runs may retire more.
    @inline(never)
    func release() { while !deferred.isEmpty { _ = deferred.takeAll() } }

    /// Lets go between dispatches, by one for each object that `dispatch` makes.
    @inline(never)
    func release(_ dispatch: (CallbackName, _ letGo: () -> Void) -> Void) {
        while !deferred.isEmpty {
            var waiting = deferred.takeAll()
            waiting.forEach(dispatch)
        }
    }

    // MARK: Being watched

    /// The dispatch that has ended ran for longer than somebody's limit.
    @inline(never)
    private func reportSlow(_ kind: CallbackKind, _ start: UInt64, _ wall: UInt64) {
        watchdog.append(.dispatch(InFlight.Dispatch(start: start, name: currentName, kind: kind), wall: wall))
    }

    /// The iteration that ends at `now` took longer than somebody's limit. What it is made of is looked up now, before
    /// the flight recorder forgets it.
    @inline(never)
    private func reportSlowIteration(at now: UInt64) {
        metrics?._withUnsafeGuaranteedRef { metrics in
            let summary = IterationSummary(
                from: meter.iterationStart,
                to: now,
                metrics.ring.read(since: meter.iterationStart),
                dispatches: metrics.dispatchesOfIteration,
                limit: slowLimit
            )
            watchdog.append(.iteration(summary))
        }
    }

    /// A run has begun, or the level has risen within one: others may look at this thread until ``pause()``.
    private func showThread() {
        guard isOn, watchdog.thread.current == nil else { return }
        if sampledThread?.isThisThread != true || sampledThread?.lacksFiles == true { sampledThread = SampledThread() }
        let thread = sampledThread
        watchdog.thread.current = thread
    }
}

/// Ends the visibility of an unrecorded dispatch when that releases it at its end.
private final class UnmonitoredDispatch {
    private let vitals: LoopVitals

    init(_ vitals: LoopVitals) { self.vitals = vitals }

    deinit { vitals.inFlight.end() }
}
