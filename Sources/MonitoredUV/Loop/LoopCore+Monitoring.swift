extension LoopCore {
    /// Whether what becomes ready on another thread is to be stamped.
    @inline(__always)
    var isMonitoredElsewhere: Bool { vitals.isMonitored.load(ordering: .relaxed) }

    /// Any thread; does nothing on a closed loop.
    func requestMonitor(_ monitor: LoopMonitor?) {
        if isClosed { return }
        monitorSwitch.request(monitor)
        applySettingsSoon()
    }

    /// The same.
    func requestLevel(_ level: MonitoringLevel) {
        if isClosed { return }
        monitorSwitch.request(level)
        applySettingsSoon()
    }

    private func applySettingsSoon() {
        guard isRunningHere else {
            wakeUp.send()
            return
        }
        recorder.applySettings()
        recorder.showUnmonitoredDispatch()
    }

    /// Any thread: `listener` is told of dispatches that run for too long, as soon as the loop has noticed.
    func listen(_ listener: StallListener) {
        if isClosed { return }
        watch.add(listener)
        WatchingThread.shared.add(watch)
        monitorSwitch.requestMetrics()
        applySettingsSoon()
    }

    /// Any thread.
    func stopListening(_ listener: StallListener) {
        watch.remove(listener)
        if isClosed { return }
        monitorSwitch.requestLook()
        applySettingsSoon()
    }
}
