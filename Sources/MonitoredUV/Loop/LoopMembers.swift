/// The base classes of objects that a loop keeps and notifies without knowing more about them. Loop thread only.

/// An operation that a task waits for on a loop, tracked so that no task is left waiting when the loop is shut down.
class PendingOperation: ListMember {
    /// Ends the wait because the loop is being shut down.
    func shutDown() { leaveList() }
}

/// An open request; see ``LoopRequest``.
class OpenRequest: ListMember {
    /// Ends the request soon, with ``UVError/Code/canceled``. A handle's request does nothing: it ends when the handle
    /// is closed.
    func cancel() {}

    /// Drops the request without calling back, because the loop is being freed. A handle's request ends when the handle
    /// is closed.
    func drop() {}
}

/// A request whose work is done by threads.
protocol WorkWaiter: AnyObject {
    /// Calls back, within a dispatch: a thread finished the work at `time`.
    func workEnded(at time: UInt64)
}

/// An object that pauses while the process is out of descriptors.
protocol DescriptorWaiter: AnyObject {
    /// Called when a handle of the loop has closed, which may have freed a descriptor.
    func tryAgain()
}

/// The members of a loop.
struct LoopMembers {
    /// Operations that tasks wait for.
    let operations = MemberList<PendingOperation>()
    let requests = MemberList<OpenRequest>()
    /// The requests that threads work on, keyed by that work.
    var workWaiters: [ObjectIdentifier: any WorkWaiter] = [:]
    var descriptorWaiters: [any DescriptorWaiter] = []
    var handleBalance = Balance()
    var requestBalance = Balance()
}

/// Counts objects that must be freed.
struct Balance {
    var created = 0
    var freed = 0
    var open: Int { created - freed }
}
