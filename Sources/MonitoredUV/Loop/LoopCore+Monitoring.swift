extension LoopCore {
    /// Whether what becomes ready on another thread is to be stamped.
    @inline(__always)
    var isMonitoredElsewhere: Bool { vitals.isMonitored.load(ordering: .relaxed) }

    /// The running dispatch gets another name.
    func rename(_ name: CallbackName) {
        currentName = name
        vitals.inFlight.rename(currentKind, name)
    }

    /// Any thread; does nothing on a closed loop.
    func requestMonitor(_ monitor: LoopMonitor?) {
        if isClosed { return }
        monitorSwitch.request(monitor)
        applyMonitorChangeSoon()
    }

    /// The same.
    func requestLevel(_ level: MonitoringLevel) {
        if isClosed { return }
        monitorSwitch.request(level)
        applyMonitorChangeSoon()
    }

    private func applyMonitorChangeSoon() {
        guard isRunningHere else {
            wakeUp.send()
            return
        }
        applyMonitorChange()
        if metrics != nil && vitals.inFlight.current == nil { showUnmonitoredDispatch() }
    }

    /// Makes a dispatch that began at level `off`, and is not recorded, visible to other threads.
    private func showUnmonitoredDispatch() {
        currentName = .unmonitored
        currentKind = .posted
        vitals.inFlight.begin(currentKind, currentName, at: clock.now())
        deferRelease(UnmonitoredDispatch(vitals), currentName)
    }

    /// Loop thread. May come from within a callback or the monitor, whose time goes on as if nothing had happened.
    func applyMonitorChange() {
        guard let setting = monitorSwitch.take() else { return }
        let new = setting.level == .callbacks ? setting.monitor : nil
        if monitor?.toOpaque() != new.map({ Unmanaged.passUnretained($0).toOpaque() }) {
            let old = monitor
            monitor = new.map(Unmanaged.passRetained)
            if let old { deferRelease(old.takeRetainedValue(), .monitor) }
        }
        if setting.level != .off && metrics == nil {
            meter.beginMonitoring(at: clock.now())
            metrics = vitals.makeMetrics(at: meter.last)
        } else if setting.level == .off && metrics != nil {
            metrics = nil
            meter.endMonitoring(at: clock.now())
            vitals.queued.set(0)
        }
        vitals.isMonitored.store(metrics != nil, ordering: .relaxed)
        let limit = watch.limit.load(ordering: .relaxed)
        // The watching thread looks for dispatches that ended before the loop knew of the limit.
        if limit < slowLimit { WatchingThread.shared.wake() }
        slowLimit = limit
        if isRunningHere { showThread() }
    }

    // MARK: Being watched

    /// Any thread: `listener` is told of dispatches that run for too long, as soon as the loop has noticed.
    func listen(_ listener: StallListener) {
        if isClosed { return }
        watch.add(listener)
        WatchingThread.shared.add(watch)
        monitorSwitch.requestMetrics()
        applyMonitorChangeSoon()
    }

    /// Any thread.
    func stopListening(_ listener: StallListener) {
        watch.remove(listener)
        if isClosed { return }
        monitorSwitch.requestLook()
        applyMonitorChangeSoon()
    }

    /// The dispatch that has ended ran for longer than somebody's limit.
    @inline(never)
    func reportSlow(_ kind: CallbackKind, _ start: UInt64, _ wall: UInt64) {
        watch.append(.dispatch(InFlight.Dispatch(start: start, name: currentName, kind: kind), wall: wall))
    }

    /// The iteration that ends at `now` took longer than somebody's limit. What it is made of is looked up now, before
    /// the flight recorder forgets it.
    @inline(never)
    func reportSlowIteration(at now: UInt64) {
        metrics?._withUnsafeGuaranteedRef { metrics in
            let summary = IterationSummary(
                from: meter.iterationStart,
                to: now,
                metrics.ring.read(since: meter.iterationStart),
                dispatches: metrics.dispatchesOfIteration,
                limit: slowLimit
            )
            watch.append(.iteration(summary))
        }
    }

    /// A run has begun, or the level has risen within one: others may look at this thread until ``hideThread()``.
    func showThread() {
        guard metrics != nil, watch.thread.withLock({ $0 == nil }) else { return }
        if watchedThread?.isThisThread != true || watchedThread?.lacksFiles == true { watchedThread = WatchedThread() }
        let thread = watchedThread
        watch.thread.withLock { $0 = thread }
    }

    /// The run ends, and perhaps the thread.
    func hideThread() { if watchedThread != nil { watch.thread.withLock { $0 = nil } } }
}

/// Ends the visibility of an unrecorded dispatch when that releases it at its end.
private final class UnmonitoredDispatch {
    private let vitals: LoopVitals

    init(_ vitals: LoopVitals) { self.vitals = vitals }

    deinit { vitals.inFlight.end() }
}
