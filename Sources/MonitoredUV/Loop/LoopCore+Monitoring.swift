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

    private func applyMonitorChangeSoon() { if isRunningHere { applyMonitorChange() } else { wakeUp.send() } }

    /// Loop thread. May come from within a callback or the monitor, whose time goes on as if nothing had happened.
    func applyMonitorChange() {
        guard let setting = monitorSwitch.take() else { return }
        let new = setting.level == .callbacks ? setting.monitor : nil
        let old = monitor
        monitor = new.map(Unmanaged.passRetained)
        if let old { retire(old.takeRetainedValue()) }
        if setting.level != .off && metrics == nil {
            meter.beginMonitoring(at: clock.now(), vitals.time)
            metrics = vitals.makeMetrics(at: meter.last)
        } else if setting.level == .off && metrics != nil {
            metrics = nil
            meter.endMonitoring(at: clock.now(), vitals.time)
        }
        vitals.isMonitored.store(metrics != nil, ordering: .relaxed)
    }
}
