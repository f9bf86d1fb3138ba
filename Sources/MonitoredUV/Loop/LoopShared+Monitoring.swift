extension LoopShared {
    /// The listeners of which a loop has one each.
    struct Listeners: Sendable {
        var watchdog: StallListener?
        var slowLog: StallListener?
    }

    /// Does nothing on a closed loop.
    func requestMonitor(_ monitor: LoopMonitor?) {
        if isClosed { return }
        settings.request(monitor)
        applySettingsSoon()
    }

    /// Does nothing on a closed loop.
    func requestLevel(_ level: MonitoringLevel) {
        if isClosed { return }
        settings.request(level)
        applySettingsSoon()
    }

    private func applySettingsSoon() {
        guard let core = CurrentLoop.core(of: self) else {
            wakeUp.send()
            return
        }
        core.recorder.applySettings()
        core.recorder.showUnmonitoredDispatch()
    }

    /// Tells `listener` of dispatches that run for too long, as soon as the loop has noticed.
    func listen(_ listener: StallListener) {
        if isClosed { return }
        watch.add(listener)
        WatchingThread.shared.add(watch)
        settings.requestMetrics()
        applySettingsSoon()
    }

    func stopListening(_ listener: StallListener) {
        watch.remove(listener)
        if isClosed { return }
        settings.requestLook()
        applySettingsSoon()
    }

    /// Replaces a listener. The new one is added before the old one goes, so that no dispatch escapes both.
    func setListener(_ path: WritableKeyPath<Listeners, StallListener?> & Sendable, _ new: StallListener?) {
        let old = listeners.withLock { listeners in
            defer { listeners[keyPath: path] = new }
            return listeners[keyPath: path]
        }
        if let new { listen(new) }
        if let old { stopListening(old) }
    }
}
