import CLibUV

/// A request that this library's threads work on. It keeps `run` alive until the work has ended or is canceled.
class ThreadRequest: LoopRequest, WorkWaiter {
    /// Waits for `work`, which a thread adds to the loop's ``FinishedWork`` once it has ended.
    final func begin(_ work: some AnyObject) {
        core.members.workWaiters[ObjectIdentifier(work)] = self
        begin()
        core.holdOpen(true)
    }

    /// Stops waiting for `work`; returns `false` if the request has already ended.
    @discardableResult
    final func end(_ work: some AnyObject) -> Bool {
        core.members.workWaiters[ObjectIdentifier(work)] = nil
        return endWaiting()
    }

    private final func endWaiting() -> Bool {
        if !end() { return false }
        core.holdOpen(false)
        return true
    }

    final func workEnded(at time: UInt64) { if endWaiting() { finish(at: time) } }

    /// Calls back, within a dispatch: a thread finished the work at `time`.
    func finish(at time: UInt64) {}
}
