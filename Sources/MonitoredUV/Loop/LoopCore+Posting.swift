internal import CLibUV

extension LoopCore {
    /// Loop thread: queues work for the next drain.
    @inline(__always)
    func post(_ kind: CallbackKind, _ site: CallSite, readySince: UInt64? = nil, _ body: @escaping () -> Void) {
        let ready = readySince ?? (metrics == nil ? 0 : clock.now())
        queue.append(PostedWork(body: body, site: site, posted: ready, kind: kind, isRemote: false))
        if metrics != nil {
            vitals.localPosts.add(1)
            publishQueueLength()
        }
        if !isIdleActive { startIdle() }
    }

    /// Any thread; `false` if the loop was closed.
    func postIfOpen(_ site: CallSite, _ body: @escaping @Sendable () -> Void) -> Bool {
        let now = isMonitoredElsewhere ? MonotonicClock.read() : 0
        let push = remote.push(PostedWork(body: body, site: site, posted: now, kind: .posted, isRemote: true))
        if push == .queuedFirst { wakeUp.send() }
        return push != .refused
    }

    /// Moves what other threads posted behind what is queued.
    @inline(__always)
    func takeRemote() { if !remote.isEmpty { moveRemote() } }

    @inline(never)
    private func moveRemote() {
        let (posts, jobs) = (queue.count, self.jobs.count)
        remote.takeAll {
            queue.append($0)
        } takeJob: {
            self.jobs.append($0)
        }
        if metrics != nil {
            vitals.remotePosts.add(queue.count - posts)
            vitals.remoteJobs.add(self.jobs.count - jobs)
        }
        if !isIdleActive { startIdle() }
    }

    /// Runs the closures that were queued when the drain began, then jobs. What is left over waits for the next drain,
    /// after timers and I/O.
    @inline(never)
    func drainQueues() {
        let batch = queue.count
        // In a batch the end of one dispatch is the start of the next: one reading of the clock serves both.
        var isStamped = metrics != nil
        if isStamped {
            if meter.isPolling { leavePoll() } else { meter.stamp(at: clock.now()) }
            vitals.queuedPeak.raise(to: batch &+ jobs.count)
        }
        for _ in 0..<batch {
            let wasMonitored = metrics != nil
            run(queue.removeFirst(), isStamped)
            isStamped = wasMonitored && metrics != nil
        }
        let ranJobs = drainJobs(isStamped)
        if batch > 0 || ranJobs { ranBeforePoll = true }
        if metrics != nil { publishQueueLength() }
        if isIdleActive && queue.isEmpty && jobs.isEmpty { stopIdle() }
    }

    /// Lets go of the closure within the dispatch: what that frees is the closure's own doing.
    @inline(__always)
    private func run(_ work: consuming PostedWork, _ isStamped: Bool) {
        if metrics != nil { publishQueueLength() }
        let (site, posted, kind) = (work.site, work.posted, work.kind)
        let source = kind != .posted ? LagSource.completion : work.isRemote ? .remote : .local
        var body = Optional(work.body)
        _ = consume work
        dispatch(
            kind,
            siteNames.name(of: site),
            .exact(posted == 0 ? meter.monitoredSince : posted, source),
            startedAt: isStamped ? meter.last : nil
        ) {
            body.take()?()
        }
    }

    @inline(__always)
    func publishQueueLength() { vitals.queued.set(queue.count &+ jobs.count) }

    func startIdle() {
        isIdleActive = true
        hasDrain = true
        ownActive += 1
        UVError.require(uv_idle_start(own.idle) { _ in }, "uv_idle_start")
    }

    private func stopIdle() {
        isIdleActive = false
        hasDrain = pool != nil
        ownActive -= 1
        UVError.require(uv_idle_stop(own.idle), "uv_idle_stop")
    }
}
