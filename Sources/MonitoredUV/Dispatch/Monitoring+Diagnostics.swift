/// A loop as live views of it need it, besides its snapshots.
extension Monitoring {
    /// Identifies the loop while anything holds its monitoring; the names of closed loops are used again.
    package var identity: ObjectIdentifier { ObjectIdentifier(loop) }

    /// Calls `body` with each loop of the process, once or more: with those that there are, and with each that is made, on
    /// the thread that makes it.
    package static func observeLoops(_ body: @escaping @Sendable (Monitoring) -> Void) -> MonitoringSubscription {
        let subscription = LoopObservers.add(body)
        for loop in all { body(loop) }
        return subscription
    }

    /// Whether the loop is closed.
    package var isClosed: Bool { loop.isClosed }

    /// Calls `onStall` for every stall past the limit, however many there are, on the watchdog's reporting thread.
    package func observeStalls(
        limit: Duration,
        _ onStall: @escaping @Sendable (StallReport) -> Void
    ) -> MonitoringSubscription {
        loop.listen(
            StallListener(
                limit: limit.nanosecondsClamped,
                isWatching: true,
                isCounted: true,
                reports: nil,
                notify: onStall
            )
        )
    }

    /// The monotonic clock, in nanoseconds.
    package static var now: UInt64 { MonotonicClock.read() }

    /// Returns a trace of the last dispatches of each loop, of those that ended within the last `period`.
    package static func trace(of loops: [Monitoring], dispatches: Int = .max, within period: Duration? = nil) -> [UInt8]
    {
        let start = period.map { now - min(now, $0.nanosecondsClamped) } ?? 0
        return Trace.bytes(of: loops.map(\.loop.watchdog), mostRecords: dispatches, since: start)
    }
}

extension StallReport {
    /// When the dispatch or iteration began, in nanoseconds of the monotonic clock. It identifies the stall among those of
    /// its loop, together with ``dispatches``.
    package var began: UInt64 { start }
}
