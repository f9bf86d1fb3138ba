extension LoopShared {
    /// Does nothing on a closed loop.
    func requestMonitor(_ monitor: LoopMonitor?) {
        if isClosed { return }
        settings.request(monitor)
        applySettingsSoon()
    }

    /// Does nothing on a closed loop.
    func addMonitor(_ monitor: LoopMonitor) -> MonitoringSubscription {
        if !isClosed {
            settings.add(monitor)
            applySettingsSoon()
        }
        return MonitoringSubscription { [self] in
            settings.remove(monitor)
            if !isClosed { applySettingsSoon() }
        }
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

    /// Tells `listener` of dispatches that run for too long, as soon as the loop has noticed. Does nothing on a closed loop.
    @discardableResult
    func listen(_ listener: StallListener) -> MonitoringSubscription {
        if !isClosed {
            watchdog.listeners.add(listener)
            WatchdogThread.shared.add(watchdog)
            settings.requestMetrics()
            applySettingsSoon()
        }
        return MonitoringSubscription { [self] in stopListening(listener) }
    }

    func stopListening(_ listener: StallListener) {
        watchdog.listeners.remove(listener)
        if isClosed { return }
        settings.requestLook()
        applySettingsSoon()
    }
}
