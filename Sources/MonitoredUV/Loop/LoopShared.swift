import Synchronization

/// The part of a loop that any thread may use. It outlives the loop for threads that still do.
final class LoopShared: Sendable {
    let name: CallbackName
    /// Other loops cannot have the same name, until this one is closed.
    private let claim: Lock<LoopNames.Claim?>
    /// The thread that the loop belongs to: that of its creation, then that of its last run.
    let ownerThread = Atomic<UInt>(currentThread())
    /// The thread inside a run; 0 while there is none, ``closed`` for good after a close.
    let runnerThread = Atomic<UInt>(0)
    let stopRequested = Atomic<Bool>(false)
    let shutdownRequested = Atomic<Bool>(false)
    /// Actors come to this loop because it is the whole process's.
    let isOfProcess = Atomic<Bool>(false)

    let remote = RemoteQueue()
    let wakeUp = AsyncSender()
    let finishedWork: FinishedWork

    let settings: MonitorSwitch
    let vitals: LoopVitals
    let watchdog: LoopWatchdog
    let afterClose = AfterClose()

    /// - Parameters:
    ///   - name: `nil` stands for `loop-` and a number.
    ///   - level: That without a monitor.
    init(name: String?, monitor: LoopMonitor?, level: MonitoringLevel) {
        let claim = LoopNames.Claim(name)
        self.claim = Lock(claim)
        self.name = CallbackName(claim.text)
        finishedWork = FinishedWork(wakeUp)
        settings = MonitorSwitch(monitor, base: level)
        vitals = LoopVitals(name: self.name)
        watchdog = LoopWatchdog(vitals)
    }

    /// The loop is closed: others may have its name.
    func releaseName() { claim.withLock { $0 = nil } }

    // MARK: Posting

    /// Whether what becomes ready on another thread is to be stamped.
    @inline(__always)
    var isMonitored: Bool { vitals.isMonitored.load(ordering: .relaxed) }

    /// Posts from a thread that may be any; `false` if the loop was closed.
    func post(_ site: CallSite, _ body: @escaping @Sendable () -> Void) -> Bool {
        let now = isMonitored ? MonotonicClock.read() : 0
        let push = remote.push(PostedWork(body: body, site: site, posted: now, kind: .posted, isRemote: true))
        if push == .queuedFirst { wakeUp.send() }
        return push != .refused
    }

    /// Queues a job that is stamped; `false` if the loop was closed.
    func push(_ job: Job) -> Bool {
        let push = remote.push(job)
        if push == .queuedFirst { wakeUp.send() }
        return push != .refused
    }

    // MARK: Threads

    /// In ``runnerThread``: no thread's word.
    static let closed: UInt = 1

    var isClosed: Bool { runnerThread.load(ordering: .acquiring) == Self.closed }

    /// Whether this thread is inside a run of the loop. Unlike ownership, which passes to whoever runs the loop next,
    /// this cannot change under the caller.
    @inline(__always)
    var isRunningHere: Bool { runnerThread.load(ordering: .relaxed) == currentThread() }

    @inline(__always)
    var isOnOwnThread: Bool { ownerThread.load(ordering: .relaxed) == currentThread() }

    /// The loop belongs to this thread from now on.
    func takeOver() { ownerThread.store(currentThread(), ordering: .relaxed) }

    /// The loop belongs to nobody until a thread runs it.
    func giveAway() { ownerThread.store(0, ordering: .relaxed) }

    @inline(__always)
    func preconditionOnOwnThread(_ subject: @autoclosure () -> String) {
        if !isOnOwnThread { wrongThread(subject()) }
    }

    @inline(never)
    private func wrongThread(_ subject: String) -> Never {
        fatalError(
            "\(subject) was used on a thread that UVEventLoop '\(name.text)' does not belong to. "
                + (runnerThread.load(ordering: .relaxed) == 0 && ownerThread.load(ordering: .relaxed) != 0
                    ? "No thread is running that loop: call run(.noWait) on this thread to take it over."
                    : "Use loop.execute { … }, which any thread may call, and UVLoopBound to carry values into it.")
        )
    }
}
