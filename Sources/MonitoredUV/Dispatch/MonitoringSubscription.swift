/// A monitor, a watchdog, or a log that was added to a loop's monitoring. It ends when it is canceled or with its loop;
/// letting go of it changes nothing, and keeping it keeps some memory of a loop that is closed. Any thread.
///
/// The closure's captures are released on the thread that cancels last or on the loop's; capture nothing that belongs to
/// the loop if you cancel elsewhere.
public struct MonitoringSubscription: Sendable {
    /// Gone once it was canceled, with what it held.
    private let end: Lock<(@Sendable () -> Void)?>

    init(_ end: @escaping @Sendable () -> Void) { self.end = Lock(end) }

    /// Ends it, for this subscriber alone. What is being reported meanwhile may still arrive.
    public func cancel() { end.withLock { $0.take() }?() }
}
