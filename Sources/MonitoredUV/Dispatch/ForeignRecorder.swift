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
        Self.setCurrent(self)
    }

    /// Ends the recorder's use on its thread.
    func leaveThread() {
        Self.setCurrent(nil)
        recorder.pause()
    }

    // MARK: The thread

    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        let status = pthread_key_create(&key, nil)
        if status != 0 { fatalError("pthread_key_create failed with \(status)") }
        return key
    }()

    /// The recorder of this thread; `nil` if there is none. Whoever made it keeps it alive until it leaves the thread.
    package static var current: ForeignRecorder? {
        pthread_getspecific(key).map { Unmanaged<ForeignRecorder>.fromOpaque($0).takeUnretainedValue() }
    }

    static func setCurrent(_ recorder: ForeignRecorder?) {
        let status = pthread_setspecific(key, recorder.map { Unmanaged.passUnretained($0).toOpaque() })
        if status != 0 { fatalError("pthread_setspecific failed with \(status)") }
    }
}
