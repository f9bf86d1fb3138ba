public import Logging

extension Monitoring {
    /// Notices dispatches that run for longer than `limit`, while they run, and says where the loop's thread is. An
    /// iteration made of many dispatches is noticed as well, by the name that took the largest share of it: it keeps
    /// others waiting for as long.
    ///
    /// One thread of its own looks at all loops that have a watchdog. When a dispatch passes the limit, it takes the loop
    /// thread's stack, once for each such dispatch. A thread that waits in a call does not notice; one that computes is
    /// interrupted by a signal for some ten microseconds. Functions, files, and lines are looked up on another thread,
    /// which also calls `onStall`: when the dispatch passes the limit, again while it goes on (after four times as long,
    /// and so on), and at its end. Of more than five stalls a minute the others are counted: ``StallReport/suppressed``.
    /// While a debugger holds the process, and after it was stopped as a whole, the watchdog is quiet. It can be set up
    /// while the loop is stuck already, if its level is `metrics` at least; at level `off`, only from the stuck callback
    /// itself, which is then reported as `began unmonitored`. What is still to be reported when the program ends by `exit`
    /// or by returning from `main` is reported first, if that takes no longer than a second.
    ///
    /// Raises the ``level`` to `metrics`. A loop may have several watchdogs, each with its own limit. Without free descriptors
    /// or threads, a warning says that loops are not watched, until one of them is given a watchdog again.
    ///
    /// - Parameters:
    ///   - limit: One millisecond at least.
    ///   - traces: Where to write the flight recorder's picture when a stall has ended; by default nowhere.
    ///   - onStall: Called on a thread of the watchdog's, one report after the other.
    @discardableResult
    public func startWatchdog(
        limit: Duration = .milliseconds(100),
        traces: TraceFiles? = nil,
        onStall: @escaping @Sendable (StallReport) -> Void
    ) -> MonitoringSubscription {
        require(limit >= .milliseconds(1), "startWatchdog(limit: \(limit)): the limit is 1 ms at least")
        let watchdog = loop.watchdog
        let listener = StallListener(
            limit: limit.nanosecondsClamped,
            isWatching: true,
            isCounted: true,
            reports: ReportLimit(5, per: 60_000_000_000)
        ) { report in
            onStall(report)
            if report.phase == .ended, let traces { traces.write([watchdog]) }
        }
        return loop.listen(listener)
    }

    /// Does the same, and logs each report as a warning. The message is one line that says what is stuck, for how long, and
    /// why; the metadata has each of these by itself, and the stack.
    ///
    /// - Parameters:
    ///   - limit: One millisecond at least.
    ///   - traces: Where to write the flight recorder's picture when a stall has ended; by default nowhere.
    ///   - logger: The logger for the warnings.
    @discardableResult
    public func startWatchdog(
        limit: Duration = .milliseconds(100),
        traces: TraceFiles? = nil,
        logger: Logger = Logger(label: "MonitoredUV")
    ) -> MonitoringSubscription {
        startWatchdog(limit: limit, traces: traces) { report in
            logger.warning("\(report.summary)", metadata: report.metadata)
        }
    }

    /// Returns where the loop's thread is at this moment, innermost function first, including the functions of libraries and
    /// all async callers. Empty while the loop runs no dispatch, at level `off`, and where the thread cannot be examined.
    ///
    /// Any thread but the loop's own; it waits for a thread that computes, up to a quarter of a second, and looks up
    /// functions, files, and lines, which takes some milliseconds.
    public func currentStack() -> [StackFrame] {
        loop.watchdog.thread.sample(in: loop.vitals.inFlight)?.stack.frames ?? []
    }

    /// Logs a warning for each dispatch, and for each iteration made of many, that took longer than `limit`, when it has
    /// ended: what asyncio's `slow_callback_duration` does in its debug mode for callbacks. At most 60 a minute; those that
    /// are left out are counted. The metadata has the name, the duration, and so on by themselves.
    ///
    /// The log is written by the watchdog's thread, so that the loop does not wait for it. Raises the ``level`` to
    /// `metrics`.
    @discardableResult
    public func logSlowCallbacks(
        over limit: Duration = .milliseconds(100),
        logger: Logger = Logger(label: "MonitoredUV")
    ) -> MonitoringSubscription {
        let listener = StallListener(
            limit: max(1, limit.nanosecondsClamped),
            isWatching: false,
            reports: ReportLimit(60, per: 60_000_000_000)
        ) { report in
            let more = report.suppressed == 0 ? "" : "; \(report.suppressed) slow callbacks before it not logged"
            let name = "\(report.callbackName) (\(report.kind))"
            let took = "took \(report.duration.brief)"
            let what = report.dispatches.map { "an iteration of \($0) dispatches \(took), the largest share \(name)" }
            logger.warning(
                "\(what ?? "\(name) \(took)")\(more)",
                metadata: report.metadata
            )
        }
        return loop.listen(listener)
    }
}

extension StallReport {
    /// The report's parts, for logs that can be searched by them.
    var metadata: Logger.Metadata {
        var metadata: Logger.Metadata = [
            "loop": "\(loopName)", "callback": "\(callbackName)", "kind": "\(kind)", "duration": "\(duration.brief)",
            "limit": "\(limit.brief)",
        ]
        if let cause { metadata["cause"] = "\(cause)" }
        if let call { metadata["call"] = "\(call)" }
        if let function { metadata["function"] = "\(function)" }
        if let dispatches { metadata["dispatches"] = "\(dispatches)" }
        if !stack.isEmpty { metadata["stack"] = .array(stack.map { "\($0)" }) }
        return metadata
    }
}
