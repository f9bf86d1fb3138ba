import Synchronization

/// Changes of the level or the monitor, requested by any thread for the loop's thread to apply.
final class MonitorSwitch: Sendable {
    /// The level and monitors that the loop should have.
    struct Setting {
        var level: MonitoringLevel
        /// The monitor that calls all of them.
        fileprivate(set) var monitor: LoopMonitor?
        /// The level without a monitor.
        fileprivate var base: MonitoringLevel
        /// The loop's own monitor, and those that were added.
        fileprivate var own: LoopMonitor?
        fileprivate var added: [LoopMonitor] = []

        /// Changes the monitors. A new monitor raises the level to `callbacks`; removing one keeps the level as long as
        /// another remains.
        fileprivate mutating func changeMonitors(_ body: (inout Setting) -> Void) {
            let monitors = allMonitors
            body(&self)
            monitor = LoopMonitor(allMonitors)
            if monitor == nil {
                level = min(level, base)
            } else if allMonitors.contains(where: { new in !monitors.contains { $0 === new } }) {
                level = .callbacks
            }
        }

        private var allMonitors: [LoopMonitor] { (own.map { [$0] } ?? []) + added }
    }

    private struct State {
        var setting: Setting
        var isNew: Bool
    }

    private let state: Lock<State>

    init(_ monitor: LoopMonitor?, base: MonitoringLevel) {
        let level = monitor == nil ? base : .callbacks
        let setting = Setting(level: level, monitor: monitor, base: base, own: monitor)
        state = Lock(State(setting: setting, isNew: true))
    }

    /// The level that was requested last. Any thread.
    var level: MonitoringLevel { state.withLock { $0.setting.level } }

    /// Replaces the loop's own monitor. A new monitor raises the level to `callbacks`; without any, the level returns
    /// to what it was. Any thread.
    func request(_ monitor: LoopMonitor?) { change { $0.changeMonitors { $0.own = monitor } } }

    /// Adds a monitor. Any thread.
    func add(_ monitor: LoopMonitor) { change { $0.changeMonitors { $0.added.append(monitor) } } }

    /// Removes a monitor that was added. Any thread.
    func remove(_ monitor: LoopMonitor) {
        change { setting in
            guard setting.added.contains(where: { $0 === monitor }) else { return }
            setting.changeMonitors { $0.added.removeAll { $0 === monitor } }
        }
    }

    /// Removes all monitors, because the loop is closed.
    func removeMonitors() {
        change {
            $0.changeMonitors {
                $0.own = nil
                $0.added = []
            }
        }
    }

    /// Sets the level. Any thread.
    func request(_ level: MonitoringLevel) {
        change { setting in
            setting.level = level
            if level != .callbacks { setting.base = level }
        }
    }

    /// Raises the level to at least `metrics` from now on, even without a monitor. Any thread.
    func requestMetrics() {
        change { setting in
            setting.base = max(setting.base, .metrics)
            setting.level = max(setting.level, .metrics)
        }
    }

    /// Asks the loop to check what else was set. Any thread.
    func requestLook() { change { _ in } }

    private func change(_ body: (inout Setting) -> Void) {
        // Released outside the lock: freeing a closure may run code that calls back here.
        let replaced = state.withLock { state in
            defer {
                body(&state.setting)
                state.isNew = true
            }
            return state.setting
        }
        withExtendedLifetime(replaced) {}
    }

    /// Returns the setting to apply, if it has changed since the last call. Loop thread only.
    func take() -> Setting? {
        state.withLock { state in
            defer { state.isNew = false }
            return state.isNew ? state.setting : nil
        }
    }
}

/// A monitor in its own box, so that the trampoline can call it without reference counting.
///
/// `@unchecked Sendable`: the closure is called only by the loop's thread, and was either sent in by its setter, which
/// keeps no part of it, or set on that thread.
final class LoopMonitor: @unchecked Sendable {
    let call: (borrowing IOLoopMonitorState) -> Void

    init(_ call: @escaping (borrowing IOLoopMonitorState) -> Void) { self.call = call }

    convenience init?(_ call: ((borrowing IOLoopMonitorState) -> Void)?) {
        guard let call else { return nil }
        self.init(call)
    }

    /// Makes a monitor that calls each of several; `nil` without any.
    fileprivate convenience init?(_ monitors: [LoopMonitor]) {
        switch monitors.count {
        case 0: return nil
        case 1: self.init(monitors[0].call)
        default: self.init { state in for monitor in monitors { monitor.call(state) } }
        }
    }
}
