import MonitoredUVPlatform

/// The recorder of dispatches that this library does not make: of a loop that it does not run, or of the jobs that a thread
/// of Swift's own executors runs. It belongs to that thread.
package class ForeignRecorder {
    package let loop: ForeignLoop
    let recorder: DispatchRecorder

    /// Creates the recorder of `loop`, for this thread.
    init(_ loop: ForeignLoop) {
        self.loop = loop
        recorder = DispatchRecorder(loop.vitals, loop.watchdog, loop.settings)
        enterThread()
        LoopRegistry.add(loop)
        WatchdogThread.shared.add(loop.watchdog)
        MonitoringEnvironment.shared.apply(to: loop.monitoring)
    }

    /// Makes the recorder that of this thread.
    func enterThread() {
        loop.enterThread()
        recorder.resume(depth: 0)
    }

    /// Ends the recorder's use on its thread.
    func leaveThread() {
        recorder.pause()
        loop.leaveThread()
    }

    private static let current = ThreadLocal<ForeignRecorder>()

    /// The recorder of what this thread does at the moment; `nil` if there is none. Whoever sets it keeps it alive.
    static var ofThread: ForeignRecorder? {
        get { current.value }
        set { current.value = newValue }
    }
}
