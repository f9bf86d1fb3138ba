import Synchronization

/// The level, monitors, snapshots, and watchdogs of one loop. Safe from any thread.
///
/// On the loop's own thread ``UVEventLoop/setMonitor(_:)`` takes a closure that shares state with the loop's callbacks.
public struct Monitoring: Sendable {
    let loop: any MonitoredLoop

    /// The monitoring of all open loops of this process, in the order of their names.
    public static var all: [Monitoring] { LoopRegistry.all.map { Monitoring(loop: $0) } }

    /// The name of the loop.
    public var loopName: String { loop.name.text }

    /// Sets, replaces, or (with `nil`) removes the loop's own monitor: the closure that is called with each dispatch
    /// after it has ended. ``addMonitor(_:)`` adds others.
    ///
    /// Setting a monitor raises the ``level`` to `callbacks`; without one, the level returns to what it was. The
    /// monitor runs on the loop's thread. It may post to the loop, stop it, close the handle that was dispatched, and
    /// replace itself; its time is counted separately and charged to no callback. In a callback of the loop, the
    /// change takes effect at once: the monitor is called for the dispatch that sets it, unless that began at level
    /// `off`. From anywhere else, it takes effect at the loop's next iteration, for which the loop is woken.
    ///
    /// Work that came in while the level was `off` is reported like any other; a closure posted then counts as ready
    /// from when the level changed.
    public func setMonitor(_ monitor: sending ((borrowing IOLoopMonitorState) -> Void)?) {
        loop.requestMonitor(LoopMonitor(monitor))
    }

    /// Adds a monitor, which is called for each dispatch after the monitors that the loop already has. Each can be canceled
    /// separately; see ``setMonitor(_:)``.
    @discardableResult
    public func addMonitor(
        _ monitor: sending @escaping (borrowing IOLoopMonitorState) -> Void
    ) -> MonitoringSubscription {
        loop.addMonitor(LoopMonitor(monitor))
    }

    /// The amount of detail that the loop records about its dispatches; initially `off`, unless the environment says
    /// otherwise.
    ///
    /// A change takes effect when that of a monitor would, and lasts until another monitor is set or added. At
    /// `callbacks`, a loop without a monitor does the same as at `metrics`; at `metrics`, a loop with a monitor does
    /// not call it.
    public var level: MonitoringLevel {
        get { loop.settings.level }
        nonmutating set { loop.requestLevel(newValue) }
    }

    /// Whether the loop's level was above `off` when the loop last checked.
    public var isMonitored: Bool { loop.vitals.isMonitored.load(ordering: .relaxed) }

    /// The loop's time while it was monitored, by use. A callback or a wait for I/O that is under way counts up to this
    /// instant.
    public var time: LoopTime { loop.vitals.time.read { MonotonicClock.read() } }

    /// Returns the statistics of the loop up to this instant, including the dispatches of the current iteration.
    ///
    /// Takes a few hundred microseconds, and never waits for the loop, even one that is stuck: it takes only short locks.
    /// Only ``NameStatistics/blame`` is not counted until the end of an iteration.
    public func snapshot() -> LoopSnapshot {
        let vitals = loop.vitals
        var snapshot = LoopSnapshot(loopName: vitals.name.text, time: time)
        snapshot.timers = vitals.timers.value
        (snapshot.tasks, snapshot.tasksPeak) = (vitals.tasks.value, vitals.tasksPeak.value)
        (snapshot.queueLength, snapshot.queueLengthPeak) = vitals.queueLength(with: { loop.remoteCount })
        snapshot.enqueues.localPosts = vitals.localPosts.value
        snapshot.enqueues.remotePosts = vitals.remotePosts.value
        snapshot.enqueues.localJobs = vitals.localJobs.value
        snapshot.enqueues.remoteJobs = vitals.remoteJobs.value
        snapshot.wakeups = loop.wakeupCount
        snapshot.handles = vitals.handles.named(type(of: loop).handleName)
        snapshot.requests = vitals.requests.named(type(of: loop).requestName)
        if let running = vitals.inFlight.current {
            let now = MonotonicClock.read()
            let age = now > running.start ? now - running.start : 0
            snapshot.running = .init(callbackName: running.name.text, kind: running.kind, nanoseconds: age)
        }
        snapshot.stalls = loop.watchdog.archive.durations
        snapshot.droppedReports = loop.watchdog.dropped
        guard let metrics = vitals.metrics else { return snapshot }
        snapshot.iterations = metrics.iterations
        snapshot.pollDelays = metrics.pollDelays
        for kind in CallbackKind.allCases { snapshot.wallTimes[kind] = metrics.wallTime(kind) }
        for source in LagSource.allCases { snapshot.lags[source] = metrics.lag(source) }
        snapshot.names = metrics.readNames()
        return snapshot
    }

    /// The lag of the loop's dispatches, smoothed over about half a second, up to this instant. It grows while the loop
    /// is stuck, and falls while the loop waits for I/O.
    public var smoothedLag: Duration {
        Duration(nanoseconds: UInt64(loop.vitals.smoothedLag(at: MonotonicClock.read())))
    }

    /// Whether ``smoothedLag`` is above ``overloadLimit``, or has not fallen below half of it since it was: time to
    /// turn work away. `false` at level `off`.
    public var isOverloaded: Bool { loop.vitals.isOverloaded(at: MonotonicClock.read()) }

    /// The ``smoothedLag`` from which the loop ``isOverloaded``; initially 100 ms.
    public var overloadLimit: Duration {
        get { Duration(nanoseconds: loop.vitals.overloadLimit.load(ordering: .relaxed)) }
        nonmutating set { loop.vitals.overloadLimit.store(newValue.nanosecondsClamped, ordering: .relaxed) }
    }
}
