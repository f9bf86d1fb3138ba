import Synchronization

/// Where any thread leaves a change of the monitor for the loop's thread to apply.
final class MonitorSwitch: Sendable {
    private let pending: Lock<Change?>
    private let on = Atomic<Bool>(false)

    /// What to do at the loop: `monitor` is `nil` where monitoring ends.
    struct Change { let monitor: LoopMonitor? }

    init(_ monitor: LoopMonitor?) { pending = Lock(monitor.map { Change(monitor: $0) }) }

    /// Any thread; the last change before the loop's next look wins.
    func request(_ monitor: LoopMonitor?) {
        let change = Change(monitor: monitor)
        // What is replaced goes after the lock is open: freeing a closure may run code that comes back here.
        let replaced = pending.withLock { pending in
            defer { pending = change }
            return pending
        }
        withExtendedLifetime(replaced) {}
    }

    /// Whether a monitor was in place at the loop's last look. Any thread.
    var isOn: Bool { on.load(ordering: .relaxed) }

    /// Loop thread: the change to apply, if one waits.
    func take() -> Change? {
        let change = pending.withLock { pending in
            defer { pending = nil }
            return pending
        }
        if let change { on.store(change.monitor != nil, ordering: .relaxed) }
        return change
    }
}

/// A monitor in a box of its own, so that the trampoline can call it without reference counting.
///
/// `@unchecked Sendable`: the closure is called by the loop's thread alone, and was either sent in by its setter, which
/// keeps no part of it, or set on that thread.
final class LoopMonitor: @unchecked Sendable {
    let call: (borrowing IOLoopMonitorState) -> Void

    init?(_ call: ((borrowing IOLoopMonitorState) -> Void)?) {
        guard let call else { return nil }
        self.call = call
    }
}
