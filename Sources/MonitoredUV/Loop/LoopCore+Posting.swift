internal import CLibUV

extension LoopCore {
    /// Loop thread: queues work for the next drain.
    @inline(__always)
    func post(_ kind: CallbackKind, _ site: CallSite, readySince: UInt64? = nil, _ body: @escaping () -> Void) {
        let ready = readySince ?? (monitor == nil ? 0 : clock.now())
        queue.append(PostedWork(body: body, site: site, posted: ready, kind: kind))
        if !isIdleActive { startIdle() }
    }

    /// Any thread.
    func postRemotely(_ site: CallSite, _ body: @escaping @Sendable () -> Void) {
        if !postIfOpen(site, body) { refusePost() }
    }

    /// Any thread; `false` if the loop was closed.
    func postIfOpen(_ site: CallSite, _ body: @escaping @Sendable () -> Void) -> Bool {
        let now = monitorSwitch.isOn ? MonotonicClock.read() : 0
        let push = remote.push(PostedWork(body: body, site: site, posted: now, kind: .posted))
        if push == .queuedFirst { wakeUp.send() }
        return push != .refused
    }

    @inline(never)
    func refusePost() -> Never {
        fatalError(
            "work was posted to UVEventLoop '\(name.text)' after it was closed. "
                + "End what posts to a loop before you close the loop."
        )
    }

    /// Moves what other threads posted behind what is queued.
    @inline(__always)
    func takeRemote() { if !remote.isEmpty { moveRemote() } }

    @inline(never)
    private func moveRemote() {
        remote.takeAll {
            queue.append($0)
        } takeJob: {
            jobs.append($0)
        }
        if !isIdleActive { startIdle() }
    }

    /// Runs the closures that were queued when the drain began, then jobs. What is left over waits for the next drain,
    /// after timers and I/O.
    @inline(__always)
    func drain() {
        takeRemote()
        if isIdleActive || pool != nil { drainQueues() }
    }

    @inline(never)
    private func drainQueues() {
        let batch = queue.count
        // In a batch the end of one dispatch is the start of the next: one reading of the clock serves both.
        var isStamped = monitor != nil
        if isStamped { meter.leaveLoopCode(at: clock.now(), timeSums) }
        for _ in 0..<batch {
            let wasMonitored = monitor != nil
            run(queue.removeFirst(), isStamped)
            isStamped = wasMonitored && monitor != nil
        }
        let ranJobs = drainJobs(isStamped)
        if batch > 0 || ranJobs { ranBeforePoll = true }
        if isIdleActive && queue.isEmpty && jobs.isEmpty { stopIdle() }
    }

    /// Lets go of the closure within the dispatch: what that frees is the closure's own doing.
    @inline(__always)
    private func run(_ work: consuming PostedWork, _ isStamped: Bool) {
        let (site, posted, kind) = (work.site, work.posted, work.kind)
        var body = Optional(work.body)
        _ = consume work
        dispatch(
            kind,
            siteNames.name(of: site),
            .exact(posted == 0 ? meter.monitoredSince : posted),
            startedAt: isStamped ? meter.last : nil
        ) {
            body.take()?()
        }
    }

    func startIdle() {
        isIdleActive = true
        ownActive += 1
        UVError.require(uv_idle_start(own.idle) { _ in }, "uv_idle_start")
    }

    private func stopIdle() {
        isIdleActive = false
        ownActive -= 1
        UVError.require(uv_idle_stop(own.idle), "uv_idle_stop")
    }
}
