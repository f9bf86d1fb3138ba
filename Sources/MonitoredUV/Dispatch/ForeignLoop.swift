import Synchronization

/// A loop that this library does not run but watches, such as one of SwiftNIO's: the part of it that any thread may
/// use. Its thread has a ``ForeignRecorder``.
package final class ForeignLoop: MonitoredLoop {
    /// Hands a closure to a loop, from any thread, for the loop's thread to run as soon as it can.
    package typealias Submit = @Sendable (_ task: @escaping @Sendable () -> Void) -> Void

    let name: CallbackName
    let vitals: LoopVitals
    let watchdog: LoopWatchdog
    let settings: MonitorSwitch
    private let claim: Lock<LoopNames.Claim?>
    private let submit: Submit
    let probe: LoopProbe
    private let thread = Atomic<UInt>(0)
    private let closed = Atomic<Bool>(false)
    private let polling = Atomic<Bool>(false)
    private let hasNewSettings = Atomic<Bool>(false)

    /// - Parameters:
    ///   - isSampled: Whether long dispatches are sampled, for nothing else tells what they do.
    ///   - isProbed: Whether the loop may be given empty tasks, to measure how long they wait.
    init(name: String, isSampled: Bool, isProbed: Bool, _ submit: @escaping Submit) {
        let claim = LoopNames.Claim(name)
        self.claim = Lock(claim)
        // Such loops come and go, and SwiftNIO never uses a name again.
        self.name = CallbackName(pinned: claim.text)
        self.submit = submit
        probe = LoopProbe(isProbed ? submit : nil)
        vitals = LoopVitals(name: self.name)
        watchdog = LoopWatchdog(vitals, profile: isSampled ? LoopProfile() : nil, probe: probe)
        settings = MonitorSwitch(nil, base: MonitoringEnvironment.shared.level)
    }

    deinit { name.release() }

    /// Level, monitors, snapshots, and watchdog of the loop.
    package var monitoring: Monitoring { Monitoring(loop: self) }

    var isClosed: Bool { closed.load(ordering: .acquiring) }

    var isRunningHere: Bool { thread.load(ordering: .relaxed) == currentThread() }

    // Only the loop itself knows these.

    var remoteCount: Int { 0 }

    var wakeupCount: Int { 0 }

    static func handleName(_ type: Int) -> String { "handle" }

    static func requestName(_ type: Int) -> String { "request" }

    /// Wakes the loop if it is in its poll; it looks at the settings on both sides of it.
    func applySettingsSoon() {
        hasNewSettings.store(true, ordering: .sequentiallyConsistent)
        if polling.load(ordering: .sequentiallyConsistent) { submit {} }
    }

    /// Whether the environment sets anything that applies to loops.
    package static var isAskedFor: Bool {
        let environment = MonitoringEnvironment.shared
        return environment.level != .off || environment.stallLimit != nil || environment.slowCallbacks != nil
            || environment.diagnostics != nil
    }

    // MARK: Loop thread

    func enterThread() { thread.store(currentThread(), ordering: .relaxed) }

    func leaveThread() { thread.store(0, ordering: .relaxed) }

    /// Records whether the loop is in its poll, where it may sleep.
    func setPolling(_ isPolling: Bool) {
        if isPolling {
            // Ordered before the look at the settings: whoever changes them sees it, or the loop sees the change.
            polling.store(true, ordering: .sequentiallyConsistent)
        } else {
            polling.store(false, ordering: .relaxed)
        }
    }

    var hasUnappliedSettings: Bool {
        @inline(__always) get { hasNewSettings.load(ordering: .sequentiallyConsistent) }
    }

    @inline(__always)
    func takeNewSettings() -> Bool {
        hasUnappliedSettings
            && hasNewSettings.exchange(false, ordering: .acquiringAndReleasing)
    }

    func close() {
        closed.store(true, ordering: .releasing)
        WatchdogThread.shared.finish(watchdog)
        LoopRegistry.remove(self)
        claim.withLock { $0 = nil }
    }
}
