/// Something that a task waits for on a loop. The loop keeps a list of them, so that none is left waiting when the loop
/// is shut down. Loop thread only.
class PendingOperation: ListMember {
    private var core: LoopCore?

    /// The list holds the operation until ``end()``.
    final func begin(on core: LoopCore) {
        self.core = core
        core.pendingOperations.add(self)
    }

    final func end() {
        _ = core?.pendingOperations.remove(self)
        core = nil
    }

    /// Ends the wait because the loop is being shut down.
    func shutDown() { end() }
}

extension LoopCore {
    /// Resumes every task that waits for something on this loop.
    func endOperations() { while let operation = pendingOperations.first { operation.shutDown() } }

    /// Leaves the tasks that wait for something on this loop waiting.
    func dropOperations() { while let operation = pendingOperations.first { operation.end() } }
}
