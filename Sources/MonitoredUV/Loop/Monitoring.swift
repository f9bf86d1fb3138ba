/// The door to one loop's monitoring, for any thread: set, replace or remove the monitor, and read where the time went.
///
/// On the loop's own thread ``UVEventLoop/setMonitor(_:)`` takes a closure that shares state with the loop's callbacks.
public struct Monitoring: Sendable {
    /// Used through what its type marks as open to any thread; the rest only after a check of the thread.
    nonisolated(unsafe) let core: LoopCore

    /// Sets, replaces or (with `nil`) removes the monitor: the closure that is told of each dispatch after it ended.
    ///
    /// The monitor runs on the loop's thread. It may post to the loop, stop it, close the handle that was dispatched,
    /// and replace itself; its time is summed apart and charged to no callback. On the loop's own thread the change
    /// holds from the next dispatch on; from another thread, from the loop's next iteration on, for which it is woken.
    ///
    /// What came in while there was no monitor is reported like anything else; a closure posted then counts as ready
    /// from when the monitor was set.
    public func setMonitor(_ monitor: sending ((borrowing IOLoopMonitorState) -> Void)?) {
        core.requestMonitor(LoopMonitor(monitor))
    }

    /// Whether the loop reports its dispatches.
    public var isMonitored: Bool { core.monitorSwitch.isOn }

    /// Where the loop's time went while it was monitored. What is under way (a callback, a wait for I/O) is counted
    /// once it has ended.
    public var time: LoopTime { core.timeSums.read() }
}
