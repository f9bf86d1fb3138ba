import CMonitoredUV

/// The recorder of the jobs that a thread of Swift's own executors runs. Each job is a dispatch, and the time between two
/// counts as that of the poll; jobs that follow each other closely are one iteration. Dispatch ends threads that have
/// nothing to do; another thread then takes the recorder over.
///
/// `MainActor` has a recorder of its own, because any thread may run a job of the main queue, though only one at a time.
final class JobRecorder: ForeignRecorder {
    /// The recorders of threads that have ended.
    private static let free = Lock<[JobRecorder]>([])
    private static let count = Lock(0)
    static let loops = ForeignLoops()

    @exclusivity(unchecked) private var names = JobNames()
    @exclusivity(unchecked) private var isRunning = false

    /// The recorder of `MainActor`.
    ///
    /// `nonisolated(unsafe)`: only jobs of the main queue use it, which run one after the other.
    nonisolated(unsafe) static let main = JobRecorder(name: "main")

    private init(name: String) {
        // Threads of Dispatch cannot be woken; they apply settings with their next job.
        super.init(ForeignLoop(name: name, isSampled: false, isProbed: false) { _ in })
        Self.loops.open(loop)
        recorder.park(at: recorder.clock.now())
    }

    /// The recorder of this thread, which is made or taken over if there is none.
    @inline(__always)
    static var own: JobRecorder {
        guard let state = muv_executor_thread_state() else { return enterThread() }
        return Unmanaged<JobRecorder>.fromOpaque(state).takeUnretainedValue()
    }

    @inline(never)
    private static func enterThread() -> JobRecorder {
        let recorder: JobRecorder
        if let free = free.withLock({ $0.popLast() }) {
            recorder = free
            recorder.enterThread()
            recorder.recorder.park(at: recorder.recorder.clock.now())
        } else {
            let number = count.withLock { count in
                count += 1
                return count
            }
            recorder = JobRecorder(name: "swift-\(number)")
        }
        muv_executor_keep_thread_state(Unmanaged.passRetained(recorder).toOpaque())
        return recorder
    }

    /// Leaves the thread, which ends.
    static func end(_ state: UnsafeMutableRawPointer) {
        let recorder = Unmanaged<JobRecorder>.fromOpaque(state).takeRetainedValue()
        recorder.leaveThread()
        free.withLock { $0.append(recorder) }
    }

    /// Runs a job, as a dispatch at a level above `off`.
    @inline(__always)
    func run(_ job: Job, _ body: () -> Void) {
        if loop.takeNewSettings() { applySettings() }
        // A job that runs others, as a run loop does, is one dispatch with them.
        guard recorder.isOn, !isRunning, let name = names.name(of: job, onLookup: {}) else { return body() }
        isRunning = true
        let previous = Self.ofThread
        Self.ofThread = self
        let start = recorder.clock.now()
        recorder.unpark(at: start)
        let lag = recorder.open(.job, name, .exact(recorder.ready(since: job.ready), .job), at: start)
        body()
        let end = recorder.clock.now()
        recorder.finish(.job, lag, from: start, until: end)
        if let state = recorder.unreported(.job, lag, from: start, until: end) { recorder.report(state) }
        Self.ofThread = previous
        isRunning = false
        recorder.park(at: recorder.lastStamp)
    }

    /// Runs a job of `MainActor` on whichever thread drains the main queue.
    func runOnMain(_ job: Job, _ body: () -> Void) {
        if isRunning { return body() }
        loop.enterThread()
        recorder.showThread()
        run(job, body)
        recorder.hideThread()
        loop.leaveThread()
    }

    @inline(never)
    private func applySettings() {
        recorder.endParkedIteration()
        recorder.applySettings()
        recorder.release()
        recorder.park(at: recorder.clock.now())
    }
}
