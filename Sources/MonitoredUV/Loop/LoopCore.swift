import CLibUV
import Synchronization

/// The part of a loop that belongs to its thread: one `uv_loop_t`, and the library's own handles. Every handle of the
/// loop retains it.
///
/// Stored properties on the hot path are `@exclusivity(unchecked)`: only that thread accesses them, and none is
/// borrowed across a call to user code.
final class LoopCore {
    let shared: LoopShared
    let uv: UnsafeMutablePointer<uv_loop_t>
    let internalHandles: InternalHandles
    let vitals: LoopVitals
    let handleMemory = HandleMemory()
    let recorder: DispatchRecorder
    /// `nil` once the public object that holds this one has been released.
    @exclusivity(unchecked) var publicLoop: PublicLoop?
    @exclusivity(unchecked) var queue = PostedQueue()
    @exclusivity(unchecked) var jobs = LoopJobs()
    @exclusivity(unchecked) var timers: Timers
    @exclusivity(unchecked) var alarm = LoopAlarm()
    @exclusivity(unchecked) var sleeping = LoopSleeping()
    @exclusivity(unchecked) var mainThread = MainThreadRole()
    @exclusivity(unchecked) var members = LoopMembers()
    @exclusivity(unchecked) var streams = LoopStreams()
    @exclusivity(unchecked) var activity = LoopActivity()
    @exclusivity(unchecked) var currentRun = CurrentRun()
    @exclusivity(unchecked) var shutdown = LoopShutdown()
    /// The number of polls so far.
    @exclusivity(unchecked) var iteration: UInt64 = 0

    /// The handles that the library itself has on every loop; none of them keeps the loop alive.
    struct InternalHandles {
        let wake = UnsafeMutablePointer<uv_async_t>.allocate(capacity: 1)
        let prepare = UnsafeMutablePointer<uv_prepare_t>.allocate(capacity: 1)
        let check = UnsafeMutablePointer<uv_check_t>.allocate(capacity: 1)
        let idle = UnsafeMutablePointer<uv_idle_t>.allocate(capacity: 1)
        let timer = UnsafeMutablePointer<uv_timer_t>.allocate(capacity: 1)

        var all: [UnsafeMutablePointer<uv_handle_t>] {
            [wake.handle, prepare.handle, check.handle, idle.handle, timer.handle]
        }
    }

    /// - Parameters:
    ///   - name: `nil` stands for `loop-` and a number.
    ///   - level: The level without a monitor.
    init(name: String?, monitor: LoopMonitor?, level: MonitoringLevel) throws(UVError) {
        try ProcessSetup.openStandardDescriptors()
        ProcessSetup.catchSIGPIPE()
        let uv = UnsafeMutablePointer<uv_loop_t>.allocate(capacity: 1)
        let handles = InternalHandles()
        do {
            try Self.initialize(uv, handles)
        } catch {
            handles.all.forEach { $0.deallocate() }
            uv.deallocate()
            throw error
        }
        shared = LoopShared(name: name, monitor: monitor, level: level)
        self.uv = uv
        internalHandles = handles
        vitals = shared.vitals
        recorder = DispatchRecorder(vitals, shared.watchdog, shared.settings)
        timers = Timers(now: recorder.clock.now())
        let context = Unmanaged.passUnretained(self).toOpaque()
        uv.pointee.data = context
        handles.all.forEach { $0.pointee.data = context }
        shared.wakeUp.open(internalHandles.wake)
        recorder.applySettings()
        LoopRegistry.add(shared)
    }

    deinit {
        if !isClosed { bug("a loop was freed without being closed") }
        internalHandles.all.forEach { $0.deallocate() }
        uv.deallocate()
    }

    private static func initialize(_ uv: UnsafeMutablePointer<uv_loop_t>, _ handles: InternalHandles) throws(UVError) {
        try ProcessSetup.makingLoop { () throws(UVError) in try UVError.check(uv_loop_init(uv), "uv_loop_init") }
        do {
            try UVError.check(uv_async_init(uv, handles.wake) { withCore(of: $0) { $0.woken() } }, "uv_async_init")
        } catch {
            UVError.require(uv_loop_close(uv), "uv_loop_close")
            throw error
        }
        UVError.require(uv_prepare_init(uv, handles.prepare), "uv_prepare_init")
        UVError.require(uv_check_init(uv, handles.check), "uv_check_init")
        UVError.require(uv_idle_init(uv, handles.idle), "uv_idle_init")
        UVError.require(uv_timer_init(uv, handles.timer), "uv_timer_init")
        UVError.require(uv_prepare_start(handles.prepare) { withCore(of: $0) { $0.beforePoll() } }, "uv_prepare_start")
        UVError.require(uv_check_start(handles.check) { withCore(of: $0) { $0.afterPoll() } }, "uv_check_start")
        for handle in [handles.wake.handle, handles.prepare.handle, handles.check.handle] { uv_unref(handle) }
    }

    // MARK: Iteration

    /// The prepare hook. It was started first, so it runs after all other prepare hooks: just before the poll.
    @inline(__always)
    private func beforePoll() {
        takeRemote()
        if activity.hasDrain {
            drainQueues()
            park()
        }
        if _slowPath(currentRun.isLast) { spinIfDone() }
        if currentRun.isTimeStale { refreshTime() }
        recorder.enterPoll(
            timeout: pollTimeout,
            mayWrite: streams.queuedBytes >= Self.longWrite,
            mayRepeat: uv.pointee.nfds >= Self.mostEvents
        )
    }

    /// Makes the next poll return at once if something ran in a run of one iteration, or if a drain during a shutdown
    /// has started something that must be ended.
    @inline(never)
    private func spinIfDone() {
        if activity.isSpinning { return }
        if currentRun.isOnce && currentRun.ranBeforePoll || isShuttingDown && hasWorkToEnd { startIdle() }
    }

    /// The check hook. I/O callbacks ran before it, so work that they posted runs in the same iteration.
    @inline(__always)
    private func afterPoll() {
        iteration &+= 1
        recorder.afterPoll()
        if jobs.isParked { unpark(forOwnWork: !queue.isEmpty || !jobs.queue.isEmpty || !shared.remote.isEmpty) }
        takeRemote()
        if activity.hasDrain { drainQueues() }
        if isShuttingDown { continueShutdown() }
        currentRun.isTimeStale = false  // libuv reads the clock before anything runs
    }

    /// Updates libuv's clock: libuv limits its poll to the time until the next timer as of its last look at the clock.
    @inline(never)
    private func refreshTime() {
        currentRun.isTimeStale = false
        if !activity.isSpinning { uv_update_time(uv) }
        if alarm.isBehind { setAlarm() }  // without a wait, as this is no timer
    }

    /// The maximum time that libuv's poll waits, in nanoseconds; `.max` if it is unlimited or does not block.
    private var pollTimeout: UInt64 {
        let timeout = uv_backend_timeout(uv)
        return timeout > 0 ? UInt64(timeout) &* 1_000_000 : .max
    }

    /// The number of queued bytes that can take a poll longer to write than a wake-up may take.
    private static let longWrite = 256 * 1024

    /// The number of events that fit into one libuv poll; if there are more, libuv polls again before it returns.
    private static let mostEvents: UInt32 = 1024

    /// Lets others wake this loop for jobs of the pool, unless some are already waiting.
    @inline(never)
    private func park() {
        guard let pool = jobs.pool, !activity.isSpinning, !(currentRun.ranBeforePoll && currentRun.isOnce) else {
            return
        }
        jobs.isParked = pool.park(shared.wakeUp)
        if jobs.isParked { activity.isIdle = true }
        if !jobs.isParked { startIdle() }
    }

    /// Called before the first dispatch, or another event that a run of one iteration waits for.
    @inline(never)
    func stopIdling() {
        activity.isIdle = false
        currentRun.hasDispatched = true
        if jobs.isParked { unpark() }
    }

    /// Called before anything runs after a poll: a busy loop must not be the one that is woken.
    private func unpark(forOwnWork isBusy: Bool = true) {
        jobs.isParked = false
        jobs.pool?.unpark(shared.wakeUp, isBusy: isBusy)
    }

    private static let shutdownName = CallbackName("shutdown")

    var isShuttingDown: Bool { shutdown.isUnderWay }

    private var hasWorkToEnd: Bool {
        hasOpenHandles || !members.operations.isEmpty || timers.count > 0 || !members.workWaiters.isEmpty
    }

    /// Also ends anything that callbacks and tasks have started since.
    private func continueShutdown() {
        if hasWorkToEnd {
            dispatch(.release, Self.shutdownName, .notApplicable) {
                closeAllHandles()
                endOperations()
                dropScheduled()
                endSleeps()
                cancelRequests()
            }
        }
        if hasOpenHandles || uv.pointee.active_reqs.count > 0 || waitingCount == 0 { return shutdown.isBusy() }
        if shutdown.isEndless(at: clock.now()) { dispatch(.release, Self.shutdownName, .notApplicable) { dropWork() } }
    }

    /// Called when another thread posted work (taken by the check hook), requested a stop or a shutdown, or changed the
    /// monitor.
    private func woken() {
        recorder.stampLoopCode()
        if shared.stopRequested.exchange(false, ordering: .acquiring) { stop() }
        if shared.shutdownRequested.exchange(false, ordering: .acquiring) {
            shutdown.isUnderWay = true
            currentRun.isLast = true
            holdOpen(false)
        }
        if !members.workWaiters.isEmpty { finishWork() }
        if alarm.pool != nil { setAlarm() }
        recorder.applySettings()
        dispatchDeferredReleases()
    }

    /// Ends the run after this iteration. Loop thread only.
    func stop() {
        currentRun.isStopping = true
        uv_stop(uv)
    }

    // MARK: What the loop holds

    /// The number of waiting posted closures, jobs, and timers, active referenced handles, and active requests,
    /// excluding the library's own.
    @inline(__always)
    var heldCount: Int {
        Int(uv.pointee.active_handles) &- activity.internalActiveCount &+ Int(uv.pointee.active_reqs.count)
            &+ waitingCount
            &+ members.workWaiters.count &+ jobs.pooledCount
    }

    /// The number of things waiting in the loop's own queues.
    @inline(__always)
    var waitingCount: Int { queue.count &+ jobs.queue.count &+ timers.count &+ shared.remote.count }

    @inline(__always)
    var clock: MonotonicClock { recorder.clock }

    var hasOpenHandles: Bool { members.handleBalance.open > 0 }

    var isAlive: Bool { uv_loop_alive(uv) != 0 || waitingCount > 0 }

    /// Keeps `run` alive without work, for loops that wait for other threads. Each hold needs one release.
    func holdOpen(_ hold: Bool) {
        activity.holds += hold ? 1 : -1
        if activity.holds != (hold ? 1 : 0) { return }
        activity.internalActiveCount += hold ? 1 : -1
        if hold { uv_ref(internalHandles.wake.handle) } else { uv_unref(internalHandles.wake.handle) }
    }

    // MARK: Threads

    var isClosed: Bool { shared.isClosed }

    var isOnOwnThread: Bool { shared.isOnOwnThread }

    func preconditionOnOwnThread(_ subject: @autoclosure () -> String) { shared.preconditionOnOwnThread(subject()) }

    var name: CallbackName { shared.name }
}

extension UnsafeMutablePointer {
    /// Every libuv handle begins with the fields of `uv_handle_t`.
    @inline(__always)
    var handle: UnsafeMutablePointer<uv_handle_t> {
        UnsafeMutableRawPointer(self).assumingMemoryBound(to: uv_handle_t.self)
    }
}

/// Calls `body` with the core that owns one of the library's own handles; the run retains it.
@inline(__always)
func withCore<Raw>(of handle: UnsafeMutablePointer<Raw>?, _ body: (LoopCore) -> Void) {
    let data = handle.unsafelyUnwrapped.handle.pointee.data.unsafelyUnwrapped  // libuv passes the handle it was given
    Unmanaged<LoopCore>.fromOpaque(data)._withUnsafeGuaranteedRef(body)
}
