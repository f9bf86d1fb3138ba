/// The recorder of one loop's dispatches, whatever makes them. Reports each dispatch to the loop's monitor.
///
/// It belongs to the loop's thread. Its records are in ``LoopVitals``, for any thread. Properties are
/// `@exclusivity(unchecked)`: only that thread accesses them, and none is borrowed across a call to user code.
final class DispatchRecorder {
    let vitals: LoopVitals
    let watchdog: LoopWatchdog
    let settings: MonitorSwitch
    let clock = MonotonicClock()

    /// The metrics, which the vitals own; `nil` at level `off`.
    @exclusivity(unchecked) private var metrics: Unmanaged<LoopMetrics>?
    /// The monitor at level `callbacks`, if there is one.
    @exclusivity(unchecked) private var monitor: Unmanaged<LoopMonitor>?
    @exclusivity(unchecked) private var meter: DispatchMeter
    /// The name and kind of the dispatch that is running.
    @exclusivity(unchecked) private(set) var currentName = CallbackName.unnamed
    @exclusivity(unchecked) private(set) var currentKind = CallbackKind.posted
    /// Whether, in a batch, the last stamp is close enough to the current time.
    @exclusivity(unchecked) private var isStampFresh = false
    /// The timeout of the current poll, in nanoseconds; `.max` if it has none, or does not block.
    @exclusivity(unchecked) private var pollTimeout = UInt64.max
    /// The duration from which dispatches and iterations are reported.
    @exclusivity(unchecked) private var slowLimit = UInt64.max
    /// The thread of the last run at a level above `off`.
    @exclusivity(unchecked) private var sampledThread: SampledThread?
    @exclusivity(unchecked) private var isRunning = false
    /// Whether the thread is parked, and whether its iteration is still open.
    @exclusivity(unchecked) private var parking = Parking.none

    private enum Parking { case none, open, ended }

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

    /// The stamp for work that becomes ready now; 0 at level `off`.
    @inline(__always)
    var readyNow: UInt64 { isOn ? clock.now() : 0 }

    /// Returns the instant of a stamp, or when monitoring began if the stamp is 0.
    @inline(__always)
    func ready(since stamp: UInt64) -> UInt64 { stamp == 0 ? meter.monitoredSince : stamp }

    /// Returns the name of callbacks that were registered at `site`.
    @inline(__always)
    func name(of site: CallSite) -> CallbackName { siteNames.name(of: site) }

    // MARK: Dispatches

    /// Runs `body` as a dispatch. At level `off` it costs one branch.
    ///
    /// - Parameters:
    ///   - held: What the loop holds apart from this dispatch, evaluated after it.
    ///   - isNext: Whether the dispatch is in a batch, where the end of one dispatch is the start of the next and one
    ///     clock reading serves both.
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

    /// Invalidates the last stamp: something took time that is not part of the next dispatch, or the batch is over.
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
        let lag = begin(kind, name, readiness(), at: start)
        body()
        end(kind, lag, start, held: held())
    }

    @inline(__always)
    private func begin(
        _ kind: CallbackKind,
        _ name: CallbackName,
        _ readiness: @autoclosure () -> Readiness,
        at start: UInt64
    ) -> DispatchLag {
        if meter.isPolling { leavePoll(at: start) }
        let lag = lag(of: readiness(), start)
        currentName = name
        currentKind = kind
        meter.beginCallback(at: start)
        vitals.inFlight.begin(kind, name, at: start)
        return lag
    }

    @inline(__always)
    private func lag(of readiness: Readiness, _ start: UInt64) -> DispatchLag {
        switch readiness {
        case .exact(let ready, let source): .exact(ready: ready, start: start, source)
        case .io(let handle): meter.ioLag(of: handle, start: start)
        case .notApplicable: .notApplicable
        }
    }

    /// Records and reports the dispatch, unless its body ended monitoring.
    @inline(__always)
    private func end(_ kind: CallbackKind, _ lag: DispatchLag, _ start: UInt64, held: @autoclosure () -> Int) {
        if _slowPath(!deferred.isEmpty) { release() }
        guard let metrics else { return vitals.inFlight.end() }
        let now = clock.now()
        if monitor == nil { meter.stamp(at: now) } else { meter.beginMonitor(at: now) }
        record(kind, lag, from: start, until: now, metrics)
        guard let monitor else { return vitals.inFlight.end() }
        vitals.inFlight.begin(kind, .monitor, at: now)
        let state = state(kind, lag, from: start, until: now, held: held())
        monitor._withUnsafeGuaranteedRef { $0.call(state) }
        if _slowPath(!deferred.isEmpty) { release() }
        vitals.inFlight.end()
        // The monitor may have ended monitoring.
        if isOn { meter.stamp(at: clock.now()) }
    }

    @inline(__always)
    private func record(
        _ kind: CallbackKind,
        _ lag: DispatchLag,
        from start: UInt64,
        until now: UInt64,
        _ metrics: Unmanaged<LoopMetrics>
    ) {
        let (name, wall) = (currentName, now &- start)
        metrics._withUnsafeGuaranteedRef {
            $0.record(kind, name, start: start, wall: wall, lag: lag, meter.polls.probablyReady)
        }
        if _slowPath(wall >= slowLimit) { reportSlow(kind, start, wall) }
    }

    @inline(__always)
    private func state(
        _ kind: CallbackKind,
        _ lag: DispatchLag,
        from start: UInt64,
        until now: UInt64,
        held: Int
    ) -> IOLoopMonitorState {
        IOLoopMonitorState(
            start: start,
            wallTime: now &- start,
            lag: lag,
            handles: held,
            name: currentName,
            loop: vitals.name,
            kind: kind
        )
    }

    // MARK: Dispatches of loops that this library does not run

    /// The last instant at which the use of the loop's time changed.
    var lastStamp: UInt64 { meter.last }

    /// Begins a dispatch, which ``finish(_:_:from:until:)`` ends. Only at a level above `off`.
    @inline(__always)
    func open(_ kind: CallbackKind, _ name: CallbackName, _ readiness: Readiness, at start: UInt64) -> DispatchLag {
        begin(kind, name, readiness, at: start)
    }

    /// Records a dispatch that was opened.
    @inline(__always)
    func finish(_ kind: CallbackKind, _ lag: DispatchLag, from start: UInt64, until now: UInt64) {
        guard let metrics else { return vitals.inFlight.end() }
        meter.stamp(at: now)
        record(kind, lag, from: start, until: now, metrics)
        vitals.inFlight.end()
    }

    /// Returns what the monitor, if there is one, must be called with for the dispatch that was finished last.
    @inline(__always)
    func unreported(_ kind: CallbackKind, _ lag: DispatchLag, from start: UInt64, until now: UInt64)
        -> IOLoopMonitorState?
    {
        monitor == nil ? nil : state(kind, lag, from: start, until: now, held: 0)
    }

    /// Calls the monitor with a dispatch that ended a while ago.
    func report(_ state: IOLoopMonitorState) {
        guard let monitor else { return }
        meter.beginMonitor(at: clock.now())
        vitals.inFlight.begin(state.kind, .monitor, at: meter.last)
        monitor._withUnsafeGuaranteedRef { $0.call(state) }
        if _slowPath(!deferred.isEmpty) { release() }
        vitals.inFlight.end()
        meter.stamp(at: clock.now())
    }

    /// Parks after a dispatch, as a thread that runs jobs does. A short pause does not end the iteration, unless that has
    /// lasted for long.
    @inline(__always)
    func park(at now: UInt64) {
        guard isOn else { return }
        if _slowPath(now &- meter.iterationStart >= Self.longIteration) {
            endIteration(at: now)
        } else {
            parking = .open
        }
        meter.park(at: now)
    }

    /// Unparks at `now`.
    @inline(__always)
    func unpark(at now: UInt64) {
        let isSame = parking == .open && now &- meter.last < Self.shortPause
        if !isSame { endParkedIteration() }
        parking = .none
        meter.unpark(at: now, isSameIteration: isSame)
    }

    /// Ends the iteration that is open while parked, because the pause is long, or the recorder changes.
    func endParkedIteration() { if parking == .open { endIteration(at: meter.last) } }

    private static let shortPause: UInt64 = 10_000
    private static let longIteration: UInt64 = 100_000

    @inline(never)
    private func endIteration(at now: UInt64) {
        parking = .ended
        guard let metrics else { return }
        let start = meter.iterationStart
        if now &- start >= slowLimit { reportSlowIteration(at: now) }
        vitals.updateOverload(metrics._withUnsafeGuaranteedRef { $0.endIteration(from: start, at: now) })
    }

    /// Records how long something waited that is not a dispatch of its own.
    func recordLag(_ source: LagSource, _ lag: UInt64) {
        metrics?._withUnsafeGuaranteedRef { $0.recordLag(source, lag) }
    }

    // MARK: Names

    /// Renames the running dispatch.
    func rename(_ name: CallbackName) {
        currentName = name
        vitals.inFlight.rename(currentKind, name)
    }

    /// Charges the time up to now to the loop itself, which calls back without user code to call.
    func stampLoopCode() { if isOn && meter.isPolling { leavePoll() } }

    // MARK: Iterations

    /// Enters the loop's poll.
    ///
    /// - Parameters:
    ///   - timeout: The maximum time that the poll waits, in nanoseconds; `.max` if it has no limit, or does not block.
    ///   - mayWrite: Whether enough bytes are queued that writing them takes the poll a while.
    ///   - mayRepeat: Whether the events of all watched descriptors may not fit into one poll.
    @inline(__always)
    func enterPoll(
        timeout: @autoclosure () -> UInt64,
        mayWrite: @autoclosure () -> Bool,
        mayRepeat: @autoclosure () -> Bool
    ) {
        if isOn { enterPoll(at: clock.now(), timeout: timeout(), mayWrite: mayWrite(), mayRepeat: mayRepeat()) }
    }

    /// Enters the loop's poll at `now`, at a level above `off`.
    @inline(__always)
    func enterPoll(
        at now: UInt64,
        timeout: @autoclosure () -> UInt64,
        mayWrite: @autoclosure () -> Bool,
        mayRepeat: @autoclosure () -> Bool
    ) {
        guard let metrics else { return }
        let start = meter.iterationStart
        if _slowPath(now &- start >= slowLimit) { reportSlowIteration(at: now) }
        vitals.updateOverload(metrics._withUnsafeGuaranteedRef { $0.endIteration(from: start, at: now) })
        meter.enterPoll(at: now, mayWrite: mayWrite(), mayRepeat: mayRepeat(), work: ThreadWork.read)
        pollTimeout = timeout()
    }

    /// Ends the poll, if no dispatch has done so first.
    @inline(__always)
    func afterPoll() { if meter.isPolling { leavePoll() } }

    /// Ends the poll at `now`; a change to the next part follows.
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

    /// Begins a run of the loop on this thread, nested in `depth` others.
    func resume(depth: Int) {
        isRunning = true
        applySettings()
        meter.resume(at: clock.now())
        watchdog.thread.depth = depth
        showThread()
    }

    /// Ends the run, and perhaps the thread.
    func pause() {
        let now = clock.now()
        endParkedIteration()
        if isOn && parking == .none && now &- meter.iterationStart >= slowLimit { reportSlowIteration(at: now) }
        parking = .none
        meter.pause(at: now)
        metrics?._withUnsafeGuaranteedRef { $0.settle() }
        if sampledThread != nil { watchdog.thread.current = nil }
        isRunning = false
    }

    // MARK: Settings

    /// Applies the settings that other threads requested. May be called from within a callback or the monitor, whose
    /// time continues uninterrupted.
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

    /// Closes the recorder with its loop: releases the monitor, and all objects whose release was deferred.
    func close() {
        let last = monitor
        monitor = nil
        last?.release()
        settings.removeMonitors()
        release()
        // Remaining holders of the recorder need not hold the thread's files.
        sampledThread = nil
        watchdog.thread.forget()
    }

    // MARK: Objects of the program

    /// Keeps an object whose code may be running alive until no dispatch can be in it.
    func deferRelease(_ object: AnyObject, _ name: CallbackName) { if isRunning { deferred.append(object, name) } }

    @inline(__always)
    var hasDeferredReleases: Bool { !deferred.isEmpty }

    /// Releases deferred objects at the end of a dispatch, or of the monitor, within its time. Code that this runs may
    /// defer more.
    @inline(never)
    func release() { while !deferred.isEmpty { _ = deferred.takeAll() } }

    /// Releases deferred objects between dispatches, each in a dispatch of its own that `dispatch` makes.
    @inline(never)
    func release(_ dispatch: (CallbackName, _ letGo: () -> Void) -> Void) {
        while !deferred.isEmpty {
            var waiting = deferred.takeAll()
            waiting.forEach(dispatch)
        }
    }

    // MARK: Being watched

    /// Reports a dispatch that has ended and ran for longer than a listener's limit.
    @inline(never)
    private func reportSlow(_ kind: CallbackKind, _ start: UInt64, _ wall: UInt64) {
        if lacksFiles { renewThread() }
        watchdog.append(.dispatch(InFlight.Dispatch(start: start, name: currentName, kind: kind), wall: wall))
    }

    /// Reports the iteration that ends at `now` and took longer than a listener's limit. Its dispatches are looked up
    /// now, before the flight recorder forgets them.
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

    /// Makes this thread visible to others until ``pause()`` or ``hideThread()``, because a run has begun or the level has
    /// risen within one.
    func showThread() {
        guard isOn, watchdog.thread.current == nil else { return }
        if sampledThread?.isThisThread != true || lacksFiles { sampledThread = SampledThread() }
        let thread = sampledThread
        watchdog.thread.current = thread
    }

    /// Whether there were no descriptors left to show the thread with.
    var lacksFiles: Bool { sampledThread?.lacksFiles == true }

    /// Shows the thread again, if there are descriptors by now.
    @inline(never)
    func renewThread() {
        guard watchdog.thread.current != nil else { return }
        sampledThread = SampledThread()
        watchdog.thread.current = sampledThread
    }

    /// Hides the thread, which may leave the run at any time.
    func hideThread() { watchdog.thread.current = nil }
}

/// An object whose release, at the end of an unrecorded dispatch, ends the visibility of that dispatch.
private final class UnmonitoredDispatch {
    private let vitals: LoopVitals

    init(_ vitals: LoopVitals) { self.vitals = vitals }

    deinit { vitals.inFlight.end() }
}
