extension LoopCore {
    /// Resumes every task that waits for an operation on this loop.
    func endOperations() { while let operation = members.operations.first { operation.shutDown() } }

    /// Drops the pending operations on this loop; their tasks keep waiting.
    func dropOperations() { while let operation = members.operations.first { operation.leaveList() } }

    func cancelRequests() { members.requests.members.forEach { $0.cancel() } }

    func dropRequests() { members.requests.members.forEach { $0.drop() } }

    /// Calls back for all finished work of threads.
    @inline(never)
    func finishWork() {
        for entry in shared.finishedWork.takeAll() {
            members.workWaiters.removeValue(forKey: ObjectIdentifier(entry.work))?.workEnded(at: entry.time)
        }
    }

    /// Called when a handle has closed, which may have freed a descriptor.
    @inline(__always)
    func descriptorMayBeFree() { if _slowPath(!members.descriptorWaiters.isEmpty) { notifyDescriptorWaiters() } }

    @inline(never)
    private func notifyDescriptorWaiters() { for waiter in members.descriptorWaiters { waiter.tryAgain() } }
}
