/// A loop as its monitoring sees it, whatever it is built on. Any thread.
protocol MonitoredLoop: AnyObject, Sendable {
    var name: CallbackName { get }
    var vitals: LoopVitals { get }
    var watchdog: LoopWatchdog { get }
    var settings: MonitorSwitch { get }
    /// Whether the loop is closed. A closed loop is asked for nothing more.
    var isClosed: Bool { get }
    /// Whether this thread is inside a run of the loop.
    var isRunningHere: Bool { get }
    /// Makes the loop check ``settings`` as soon as it can: at once on its own thread.
    func applySettingsSoon()
    /// The number of closures and jobs from other threads that the loop has not taken over yet.
    var remoteCount: Int { get }
    /// The number of times that another thread has woken the loop.
    var wakeupCount: Int { get }
    /// The names of the types that ``LoopVitals`` counts handles and requests by.
    static func handleName(_ type: Int) -> String
    static func requestName(_ type: Int) -> String
}

extension MonitoredLoop {
    func requestMonitor(_ monitor: LoopMonitor?) { change { $0.request(monitor) } }

    func requestLevel(_ level: MonitoringLevel) { change { $0.request(level) } }

    func addMonitor(_ monitor: LoopMonitor) -> MonitoringSubscription {
        change { $0.add(monitor) }
        return MonitoringSubscription { [self] in change { $0.remove(monitor) } }
    }

    /// Notifies `listener` of dispatches that run for too long, as soon as the loop has noticed the request.
    @discardableResult
    func listen(_ listener: StallListener) -> MonitoringSubscription {
        if !isClosed {
            watchdog.listeners.add(listener)
            WatchdogThread.shared.add(watchdog)
            if isClosed { WatchdogThread.shared.finish(watchdog) }  // meanwhile
        }
        change { $0.requestMetrics() }
        return MonitoringSubscription { [self] in stopListening(listener) }
    }

    func stopListening(_ listener: StallListener) {
        watchdog.listeners.remove(listener)
        change { $0.requestLook() }
    }

    private func change(_ body: (MonitorSwitch) -> Void) {
        if isClosed { return }
        body(settings)
        applySettingsSoon()
    }
}
