/// A monitor, a watchdog, or a log that was added to a loop's monitoring. It ends when it is canceled or with its loop.
/// Releasing it changes nothing, and keeping it retains some memory of a loop that is closed. Any thread.
///
/// The closure's captures are released on the thread that cancels last or on the loop's; capture nothing that belongs to
/// the loop if you cancel elsewhere.
public struct MonitoringSubscription: Sendable {
    /// `nil` once canceled, which releases what it held.
    private let end: Lock<(@Sendable () -> Void)?>

    package init(_ end: @escaping @Sendable () -> Void) { self.end = Lock(end) }

    /// Ends this subscription; others continue. A report in progress may still arrive.
    public func cancel() { end.withLock { $0.take() }?() }
}
