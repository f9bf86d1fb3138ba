/// The base classes of what a loop keeps and notifies without knowing more about it. Loop thread only.

/// Something that a task waits for on a loop, so that none is left waiting when the loop is shut down.
class PendingOperation: ListMember {
    /// Ends the wait because the loop is being shut down.
    func shutDown() { leaveList() }
}

/// A request that has not ended; see ``LoopRequest``.
class OpenRequest: ListMember {
    /// Ends the request soon, with ``UVError/Code/canceled``. One of a handle does nothing: it ends when that is closed.
    func cancel() {}

    /// The loop is being freed: the request does not call back. One of a handle ends when that is closed.
    func drop() {}
}

/// A request that threads work on.
protocol WorkWaiter: AnyObject {
    /// Calls back, within a dispatch: a thread finished the work at `time`.
    func workEnded(at time: UInt64)
}

/// Something that pauses for want of a descriptor.
protocol DescriptorWaiter: AnyObject {
    /// A handle of the loop has closed, which may have freed a descriptor.
    func tryAgain()
}

/// The members of a loop.
struct LoopMembers {
    /// Operations that tasks wait for.
    let operations = MemberList<PendingOperation>()
    let requests = MemberList<OpenRequest>()
    /// Those requests that threads work on, by that work.
    var workWaiters: [ObjectIdentifier: any WorkWaiter] = [:]
    var descriptorWaiters: [any DescriptorWaiter] = []
    var handleBalance = Balance()
    var requestBalance = Balance()
}

/// Counts things that must be freed.
struct Balance {
    var created = 0
    var freed = 0
    var open: Int { created - freed }
}
