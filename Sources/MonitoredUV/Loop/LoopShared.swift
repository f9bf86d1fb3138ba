import Synchronization

/// The part of a loop that any thread may use. It outlives the loop for threads that still use it.
final class LoopShared: Sendable {
    let name: CallbackName
    /// The claim that keeps other loops from using the name until this one is closed.
    private let claim: Lock<LoopNames.Claim?>
    /// The thread that owns the loop: the one that created it, then the one that ran it last.
    let ownerThread = Atomic<UInt>(currentThread())
    /// The thread inside a run; 0 if there is none, ``closed`` permanently after a close.
    let runnerThread = Atomic<UInt>(0)
    let stopRequested = Atomic<Bool>(false)
    let shutdownRequested = Atomic<Bool>(false)
    /// Whether actors use this loop because it runs the whole process.
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
    ///   - level: The level without a monitor.
    init(name: String?, monitor: LoopMonitor?, level: MonitoringLevel) {
        let claim = LoopNames.Claim(name)
        self.claim = Lock(claim)
        self.name = CallbackName(claim.text)
        finishedWork = FinishedWork(wakeUp)
        settings = MonitorSwitch(monitor, base: level)
        vitals = LoopVitals(name: self.name)
        watchdog = LoopWatchdog(vitals)
    }

    /// Releases the name of a closed loop for other loops.
    func releaseName() { claim.withLock { $0 = nil } }

    // MARK: Posting

    /// Whether work that becomes ready on another thread should be stamped.
    @inline(__always)
    var isMonitored: Bool { vitals.isMonitored.load(ordering: .relaxed) }

    /// Posts from any thread; returns `false` if the loop was closed.
    func post(_ site: CallSite, _ body: @escaping @Sendable () -> Void) -> Bool {
        let now = isMonitored ? MonotonicClock.read() : 0
        let push = remote.push(PostedWork(body: body, site: site, posted: now, kind: .posted, isRemote: true))
        if push == .queuedFirst { wakeUp.send() }
        return push != .refused
    }

    /// Queues a stamped job; returns `false` if the loop was closed.
    func push(_ job: Job) -> Bool {
        let push = remote.push(job)
        if push == .queuedFirst { wakeUp.send() }
        return push != .refused
    }

    // MARK: Threads

    /// The value of ``runnerThread`` after a close, which no thread has.
    static let closed: UInt = 1

    var isClosed: Bool { runnerThread.load(ordering: .acquiring) == Self.closed }

    /// Whether the current thread is inside a run of the loop. Unlike ownership, which passes to whichever thread runs
    /// the loop next, this cannot change under the caller.
    @inline(__always)
    var isRunningHere: Bool { runnerThread.load(ordering: .relaxed) == currentThread() }

    @inline(__always)
    var isOnOwnThread: Bool { ownerThread.load(ordering: .relaxed) == currentThread() }

    /// Makes the current thread own the loop.
    func takeOver() { ownerThread.store(currentThread(), ordering: .relaxed) }

    /// Leaves the loop without an owner until a thread runs it.
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
