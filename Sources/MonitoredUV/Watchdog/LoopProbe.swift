import Synchronization

/// An empty task that is handed to a busy loop of which only the iterations are known, to measure how long the tasks of
/// other threads wait there. At most one is under way.
final class LoopProbe: Sendable {
    private let submit: (@Sendable (_ task: @escaping @Sendable () -> Void) -> Void)?
    private let isUnderWay = Atomic<Bool>(false)
    /// When the last task that has arrived was sent, and how long it waited; 0 once that was taken.
    private let wait = Atomic<UInt64>(0)

    /// - Parameter submit: Hands a closure to the loop; `nil` for a loop that must not be probed.
    init(_ submit: (@Sendable (_ task: @escaping @Sendable () -> Void) -> Void)?) { self.submit = submit }

    /// Sends a task. Watchdog thread.
    func send() {
        guard let submit, !isUnderWay.exchange(true, ordering: .relaxed) else { return }
        let sent = MonotonicClock.read()
        submit { [self] in
            wait.store(max(1, MonotonicClock.read() - sent), ordering: .relaxed)
            isUnderWay.store(false, ordering: .relaxed)
        }
    }

    /// Returns how long a task has waited, once, after it has arrived. Loop thread.
    func take() -> UInt64? {
        let waited = wait.load(ordering: .relaxed)
        if waited == 0 { return nil }
        wait.store(0, ordering: .relaxed)
        return waited
    }
}
