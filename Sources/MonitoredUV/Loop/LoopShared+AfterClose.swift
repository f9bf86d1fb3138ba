import Dispatch

extension LoopShared {
    /// Returns the error for operations on a closed loop.
    func closedError(_ operation: String) -> UVError {
        UVError(.invalidArgument, operation: operation, detail: "UVEventLoop '\(name.text)' is closed")
    }

    /// Returns `false`; prints a warning the first time.
    @inline(never)
    func refusePost(_ site: CallSite) -> Bool {
        if afterClose.hasRefusedPost.isFirst() {
            warn(
                "work was posted to UVEventLoop '\(name.text)' after it was closed, and was dropped: \(site.text). Later work "
                    + "is dropped silently. Stop posting before you close a loop, or check the result of execute."
            )
        }
        return false
    }

    /// Runs a job where Swift would run it without the loop; prints a warning the first time.
    @inline(never)
    func moveJob(_ job: Job, _ route: Job.Route, of actors: UnownedSerialExecutor) {
        warnOfMovedTask()
        guard route == .serial || route == .main else { return globalConcurrentExecutor.enqueue(job.unowned) }
        actorsQueue.async { job.unowned.runSynchronously(on: actors) }
    }

    /// Runs a job where Swift would run it without the loop, after a `delay` in nanoseconds.
    func moveJob(_ job: Job, after delay: UInt64) {
        warnOfMovedTask()
        let delay = DispatchTimeInterval.nanoseconds(Int(clamping: delay))
        DispatchQueue.global().asyncAfter(deadline: .now() + delay) { globalConcurrentExecutor.enqueue(job.unowned) }
    }

    private func warnOfMovedTask() {
        if afterClose.hasMovedTask.isFirst() {
            warn(
                "a task or an actor resumed on UVEventLoop '\(name.text)' after it was closed; it and later ones continue on "
                    + "Swift's own threads. Let the tasks of a loop end before you close it."
            )
        }
    }

    private static let actorsKey = DispatchSpecificKey<ObjectIdentifier>()

    private var actorsQueue: DispatchQueue {
        afterClose.actors.withLock { queue in
            if let queue { return queue }
            let new = DispatchQueue(label: "UVEventLoop \(name.text), closed")
            new.setSpecific(key: Self.actorsKey, value: ObjectIdentifier(self))
            queue = new
            return new
        }
    }

    /// Whether the current thread may run actors that are pinned to the loop: the loop's thread, or the actors' queue
    /// once they have moved there after a close.
    var isolatesHere: Bool {
        if !isClosed { return isOnOwnThread }
        if DispatchQueue.getSpecific(key: Self.actorsKey) == ObjectIdentifier(self) { return true }
        return isOnOwnThread && afterClose.actors.withLock { $0 == nil }
    }
}
