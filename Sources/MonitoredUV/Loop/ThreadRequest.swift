internal import CLibUV

/// A request that threads of this library work on. It keeps the loop running until the work ends, or until it is canceled.
class ThreadRequest: LoopRequest {
    /// Waits for `work`, which a thread adds to the loop's ``FinishedWork`` when it has ended.
    final func begin(_ work: some AnyObject) {
        core.threadRequests[ObjectIdentifier(work)] = self
        begin()
        core.holdOpen(true)
    }

    /// Stops waiting for `work`; `false` if the loop did not wait for it.
    @discardableResult
    final func end(_ work: some AnyObject) -> Bool {
        core.threadRequests[ObjectIdentifier(work)] = nil
        if !end() { return false }
        core.holdOpen(false)
        return true
    }

    /// Calls back, within a dispatch: a thread finished the work at `time`.
    func finish(at time: UInt64) {}
}

extension LoopCore {
    /// Calls back for all work that has ended.
    @inline(never)
    func finishThreadRequests() {
        for entry in shared.finishedWork.takeAll() {
            guard let request = threadRequests[ObjectIdentifier(entry.work)] else { continue }
            request.end(entry.work)
            request.finish(at: entry.time)
        }
    }
}
