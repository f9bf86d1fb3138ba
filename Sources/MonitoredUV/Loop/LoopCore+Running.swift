import CLibUV

extension LoopCore {
    /// Runs the loop on this thread, which then owns it; returns `true` if work is left.
    func run(_ mode: UVEventLoop.RunMode, as loop: UVEventLoop) throws(UVError) -> Bool {
        try claim("run")
        shared.takeOver()
        defer { shared.runnerThread.store(0, ordering: .releasing) }
        let outer = CurrentLoop.enter(loop)
        currentRun.outer = outer?.core
        defer {
            CurrentLoop.leave(to: outer)
            currentRun.outer = nil
        }
        defer { mainThread.pump?.stop() }
        ProcessSetup.catchSIGPIPE()
        if shared.stopRequested.exchange(false, ordering: .acquiring) { return isAlive }
        currentRun.isOnce = mode == .once
        currentRun.isLast = currentRun.isOnce || isShuttingDown
        currentRun.ranBeforePoll = false
        currentRun.isTimeStale = true
        try startMainQueue()
        recorder.resume(depth: outer.map { $0.core.recorder.watchdog.thread.depth + 1 } ?? 0)
        dispatchDeferredReleases()  // of a monitor that was replaced meanwhile
        repeat {
            takeRemote()
            if currentRun.isOnce { beginIteration() }
            _ = uv_run(uv, mode.uv)
            dispatchDeferredReleases()
        } while !currentRun.isStopping && (mode == .untilDone || mode == .once && endedForNothing) && isAlive
        currentRun.isStopping = false
        recorder.pause()
        return isAlive
    }

    private func beginIteration() {
        activity.isIdle = true
        currentRun.hasDispatched = false
        currentRun.rangForNothing = false
    }

    /// Whether a run of one iteration only waited for a timer that was canceled or rescheduled meanwhile.
    private var endedForNothing: Bool { currentRun.rangForNothing && !currentRun.hasDispatched && !isShuttingDown }

    /// Starts running the main queue if this loop runs on the main thread, unless a task already occupies that thread.
    private func startMainQueue() throws(UVError) {
        if mainThread.checkedThread != currentThread() {
            mainThread.isTaken = MainQueuePump.isMainThread
            if mainThread.isTaken {
                // A loop can still be shut down without descriptors.
                do throws(UVError) { try MainQueuePump.prepare() } catch { if !isShuttingDown { throw error } }
                mainThread.pump = mainThread.pump ?? MainQueuePump(self)
            }
            mainThread.checkedThread = currentThread()
        }
        if mainThread.isTaken && withUnsafeCurrentTask(body: { $0 == nil }) { mainThread.pump?.start() }
    }

    /// Closes the loop, or throws an error that lists what is still open.
    func close() throws(UVError) {
        if isClosed { return }
        if shared.isOfProcess.load(ordering: .relaxed) {
            let detail = "UVEventLoop '\(name.text)' runs the whole process since runMain, and stays open"
            throw UVError(.invalidArgument, operation: "UVEventLoop.close", detail: detail)
        }
        try claim("close")
        let open = openWork
        guard open.isEmpty, shared.remote.close() else {
            let what = open.isEmpty ? "work posted by another thread" : open.joined(separator: ", ")
            let advice =
                openHandles.contains { $0.keepsLoopOpen && uv_is_closing($0.raw) == 0 }
                ? "" : "; run it once more, so that it can finish"
            shared.runnerThread.store(0, ordering: .releasing)
            throw UVError(
                .busy,
                operation: "uv_loop_close",
                detail: "UVEventLoop '\(name.text)' still holds \(what)\(advice)"
            )
        }
        shared.takeOver()
        closeAllHandles()  // those that close with their loop
        closeInternalHandles()
    }

    /// Frees a loop that was never closed: closes everything that is open without calling user code, and prints a
    /// warning.
    func tearDown() {
        if isClosed { return }
        if shared.runnerThread.load(ordering: .acquiring) != 0 {
            fatalError(
                "UVEventLoop '\(name.text)' was released while it runs. Keep a reference until run() has returned."
            )
        }
        shared.takeOver()
        let open = openWork
        if !open.isEmpty {
            warn(
                "UVEventLoop '\(name.text)' was released without close() while it still held \(open.joined(separator: ", ")). "
                    + "Close what a loop holds, and then the loop, before you release it."
            )
        }
        shutdown.isTearingDown = true
        closeAllHandles()
        dropRequests()
        dropScheduled()
        while !shared.remote.close() { dropPosted() }
        dropPosted()
        while members.handleBalance.open > 0 || members.requestBalance.open > 0 { _ = uv_run(uv, UV_RUN_ONCE) }
        dropPosted()
        closeInternalHandles()
    }

    /// Starts closing every handle that is not closing yet.
    func closeAllHandles() { for handle in openHandles where uv_is_closing(handle.raw) == 0 { handle.close() } }

    private func claim(_ operation: StaticString) throws(UVError) {
        let (exchanged, found) = shared.runnerThread.compareExchange(
            expected: 0,
            desired: currentThread(),
            ordering: .acquiringAndReleasing
        )
        if exchanged { return }
        if found == LoopShared.closed { throw shared.closedError("UVEventLoop.\(operation)") }
        let place = found == currentThread() ? "from inside one of its own callbacks" : "while another thread runs it"
        fatalError(
            "UVEventLoop.\(operation)() was called on '\(name.text)' \(place). "
                + "Call stop() and wait for run() to return. To run work on the loop meanwhile, use execute { … }."
        )
    }

    /// Descriptions of all open handles and pending work.
    private var openWork: [String] {
        let posted = queue.count + jobs.queue.count + shared.remote.count
        let requests = members.requestBalance.open
        return openHandleKinds
            + (requests > 0 ? ["\(requests) request\(requests == 1 ? "" : "s")"] : [])
            + (posted > 0 ? ["\(posted) posted closure\(posted == 1 ? "" : "s") or job\(posted == 1 ? "" : "s")"] : [])
            + openTimers
    }

    private var openTimers: [String] {
        let sleeping = timers.jobCount
        let scheduled = timers.count - sleeping
        return (scheduled > 0 ? ["\(scheduled) scheduled callback\(scheduled == 1 ? "" : "s")"] : [])
            + (sleeping > 0 ? ["\(sleeping) sleeping task\(sleeping == 1 ? "" : "s")"] : [])
    }

    /// Descriptions of the open handles, grouped by description; only the ten most frequent groups are named.
    private var openHandleKinds: [String] {
        let open = openHandles.filter(\.keepsLoopOpen)
        let counts = open.reduce(into: [:]) { $0[$1.description, default: 0] += 1 }
        let kinds = counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        let named = kinds.prefix(10).map { $0.value == 1 ? $0.key : "\($0.value) times \($0.key)" }
        let others = kinds.dropFirst(10).reduce(0) { $0 + $1.value }
        return named + (others > 0 ? ["\(others) other handle\(others == 1 ? "" : "s")"] : [])
    }

    private var openHandles: [UVHandle] {
        final class Found { var handles: [UVHandle] = [] }
        let found = Found()
        uv_walk(
            uv,
            { raw, context in
                let found = Unmanaged<Found>.fromOpaque(context!).takeUnretainedValue()
                if raw!.pointee.data == raw!.pointee.loop.pointee.data { return }  // one of the library's own
                found.handles.append(Unmanaged<UVHandle>.fromOpaque(raw!.pointee.data).takeUnretainedValue())
            },
            Unmanaged.passUnretained(found).toOpaque()
        )
        return found.handles
    }

    private func closeInternalHandles() {
        shared.wakeUp.close()
        shared.finishedWork.close()
        mainThread.pump?.close()
        sleeping.number = nil
        dropOperations()
        internalHandles.all.forEach { uv_close($0, nil) }
        while uv_run(uv, UV_RUN_DEFAULT) != 0 {}
        UVError.require(uv_loop_close(uv), "uv_loop_close")
        // The loop counts as closed from here on, so objects freed now can no longer change it. Each of them may hold
        // it.
        shared.runnerThread.store(LoopShared.closed, ordering: .releasing)
        recorder.close()
        streams.freeBuffer()
        WatchdogThread.shared.finish(shared.watchdog)
        LoopRegistry.remove(shared)
        shared.releaseName()
        recorder.release()
    }

    func dropPosted() {
        takeRemote()
        while !queue.isEmpty { _ = queue.removeFirst() }
        while jobs.queue.removeFirst() != nil {}
    }
}
