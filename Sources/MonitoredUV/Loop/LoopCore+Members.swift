extension LoopCore {
    /// Resumes every task that waits for something on this loop.
    func endOperations() { while let operation = members.operations.first { operation.shutDown() } }

    /// Leaves the tasks that wait for something on this loop waiting.
    func dropOperations() { while let operation = members.operations.first { operation.leaveList() } }

    func cancelRequests() { members.requests.members.forEach { $0.cancel() } }

    func dropRequests() { members.requests.members.forEach { $0.drop() } }

    /// Calls back for all work of threads that has ended.
    @inline(never)
    func finishWork() {
        for entry in shared.finishedWork.takeAll() {
            members.workWaiters.removeValue(forKey: ObjectIdentifier(entry.work))?.workEnded(at: entry.time)
        }
    }

    /// A handle has closed.
    @inline(__always)
    func descriptorMayBeFree() { if _slowPath(!members.descriptorWaiters.isEmpty) { notifyDescriptorWaiters() } }

    @inline(never)
    private func notifyDescriptorWaiters() { for waiter in members.descriptorWaiters { waiter.tryAgain() } }
}
