/// Something that a task waits for on a loop. The loop keeps a list of them, so that none is left waiting when the loop
/// is shut down. Loop thread only.
class PendingOperation {
    private var core: LoopCore?
    private var next: PendingOperation?
    private unowned(unsafe) var previous: PendingOperation?

    /// The list holds the operation until ``end()``.
    final func begin(on core: LoopCore) {
        self.core = core
        next = core.pendingOperations
        next?.previous = self
        core.pendingOperations = self
    }

    final func end() {
        guard let core else { return }
        self.core = nil
        let next = self.next
        self.next = nil
        next?.previous = previous
        if let previous { previous.next = next } else { core.pendingOperations = next }
        previous = nil
    }

    /// Ends the wait because the loop is being shut down.
    func shutDown() { end() }
}

extension LoopCore {
    /// Resumes every task that waits for something on this loop.
    func endOperations() { while let operation = pendingOperations { operation.shutDown() } }

    /// Leaves the tasks that wait for something on this loop waiting.
    func dropOperations() { while let operation = pendingOperations { operation.end() } }
}
