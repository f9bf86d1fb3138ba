import CLibUV

extension LoopCore {
    /// Queues work for the next drain. Loop thread only.
    @inline(__always)
    func post(_ kind: CallbackKind, _ site: CallSite, readySince: UInt64? = nil, _ body: @escaping () -> Void) {
        let ready = readySince ?? recorder.readyNow
        queue.append(PostedWork(body: body, site: site, posted: ready, kind: kind, isRemote: false))
        if recorder.isOn {
            vitals.localPosts.add(1)
            publishQueueLength()
        }
        if !activity.isSpinning { startIdle() }
    }

    /// Moves work posted by other threads to the end of the queues.
    @inline(__always)
    func takeRemote() { if !shared.remote.isEmpty { moveRemote() } }

    @inline(never)
    private func moveRemote() {
        let (posts, jobs) = (queue.count, self.jobs.queue.count)
        shared.remote.takeAll {
            queue.append($0)
        } takeJob: {
            self.jobs.queue.append($0)
        }
        if recorder.isOn {
            vitals.remotePosts.add(queue.count - posts)
            vitals.remoteJobs.add(self.jobs.queue.count - jobs)
        }
        if !activity.isSpinning { startIdle() }
    }

    /// Runs the closures that were queued when the drain began, then jobs. Any work left over waits for the next drain,
    /// after timers and I/O.
    @inline(never)
    func drainQueues() {
        let batch = queue.count
        recorder.beginBatch()
        if recorder.isOn { vitals.queuedPeak.raise(to: batch &+ jobs.queue.count) }
        for _ in 0..<batch { run(queue.removeFirst()) }
        let ranJobs = drainJobs()
        if batch > 0 || ranJobs { currentRun.ranBeforePoll = true }
        recorder.breakBatch()
        if recorder.isOn { publishQueueLength() }
        if activity.isSpinning && queue.isEmpty && jobs.queue.isEmpty { stopIdle() }
    }

    /// Runs a closure and releases it within the same dispatch, so that the time of freeing its captures counts as its
    /// own.
    @inline(__always)
    private func run(_ work: consuming PostedWork) {
        if recorder.isOn { publishQueueLength() }
        let (site, posted, kind) = (work.site, work.posted, work.kind)
        let source = kind != .posted ? LagSource.completion : work.isRemote ? .remote : .local
        var body = Optional(work.body)
        _ = consume work
        dispatch(kind, recorder.name(of: site), .exact(recorder.ready(since: posted), source), isNext: true) {
            body.take()?()
        }
    }

    @inline(__always)
    func publishQueueLength() { vitals.queued.set(queue.count &+ jobs.queue.count) }

    func startIdle() {
        activity.isSpinning = true
        activity.hasDrain = true
        activity.internalActiveCount += 1
        UVError.require(uv_idle_start(internalHandles.idle) { _ in }, "uv_idle_start")
    }

    private func stopIdle() {
        queue.shrink()
        activity.isSpinning = false
        activity.hasDrain = jobs.pool != nil
        activity.internalActiveCount -= 1
        UVError.require(uv_idle_stop(internalHandles.idle), "uv_idle_stop")
    }
}
