public import Logging

extension Monitoring {
    /// Starts a watchdog, which notices dispatches that run for longer than `limit`, while they run, and reports where
    /// the loop's thread is. It also notices an iteration made of many dispatches, which keeps others waiting for as
    /// long, and reports it under the name that took the largest share of it.
    ///
    /// One dedicated thread checks all loops that have a watchdog. When a dispatch passes the limit, it captures the
    /// loop thread's stack, once for each such dispatch. A thread that is blocked in a call does not notice; one that
    /// is on CPU is interrupted by a signal for about ten microseconds. Functions, files, and lines are looked up on
    /// another thread, which also calls `onStall`: when the dispatch passes the limit, again while it continues (after
    /// four times as long, and so on, at least a second apart), and at its end. At most five stalls a minute are
    /// reported; the rest are counted in ``StallReport/suppressed``. While a debugger holds the process, and after the
    /// whole process was stopped, the watchdog is quiet. It can be started while the loop is already stuck, if the level
    /// is at least `metrics`; at level `off`, only from the stuck callback itself, which is then reported as `began
    /// unmonitored`. Reports that are pending when the program ends by `exit` or by returning from `main` are delivered
    /// first, if that takes no longer than a second.
    ///
    /// Raises the ``level`` to `metrics`. A loop may have several watchdogs, each with its own limit. If there are no
    /// free descriptors or threads, a warning says that loops are not watched, until a watchdog is started on one of
    /// them again.
    ///
    /// - Parameters:
    ///   - limit: At least one millisecond; a shorter one traps.
    ///   - traces: Where to write the contents of the flight recorder when a stall has ended; by default nowhere.
    ///   - onStall: Called on a thread of the watchdog, with one report at a time.
    @discardableResult
    public func startWatchdog(
        limit: Duration = .milliseconds(100),
        traces: TraceFiles? = nil,
        onStall: @escaping @Sendable (StallReport) -> Void
    ) -> MonitoringSubscription {
        require(limit >= .milliseconds(1), "startWatchdog(limit: \(limit)): the limit must be at least 1 ms")
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

    /// Starts a watchdog that logs each report as a warning. The message is one line that says what is stuck, for how
    /// long, and why; the metadata contains each of these separately, and the stack.
    ///
    /// - Parameters:
    ///   - limit: At least one millisecond; a shorter one traps.
    ///   - traces: Where to write the contents of the flight recorder when a stall has ended; by default nowhere.
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

    /// Returns the stack of the loop's thread at this moment, innermost function first, including the functions of
    /// libraries and all async callers. Empty while the loop runs no dispatch, at level `off`, and where the thread
    /// cannot be examined.
    ///
    /// Call it from any thread but the loop's own. It waits up to a quarter of a second for a thread that is on CPU,
    /// and looks up functions, files, and lines, which takes some milliseconds.
    public func currentStack() -> [StackFrame] {
        loop.watchdog.thread.sample(in: loop.vitals.inFlight)?.stack.frames ?? []
    }

    /// Logs a warning for each dispatch, and for each iteration made of many, that took longer than `limit`, once it
    /// has ended, like asyncio's `slow_callback_duration` in its debug mode for callbacks. At most 60 a minute are
    /// logged; the rest are counted. The metadata contains the name, the duration, and so on as separate values.
    ///
    /// A thread of the watchdog writes the log, so that the loop does not wait for it. Raises the ``level`` to
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
            let count = report.suppressed
            let more = count == 0 ? "" : "; \(count) earlier slow callback\(count == 1 ? "" : "s") not logged"
            let name = "\(report.callbackName) (\(report.kind))"
            let took = "took \(report.duration.brief) on \(report.loopName), limit \(report.limit.brief)"
            let iteration = report.dispatches.map { "an iteration of \($0) dispatches \(took)" }
            let text = iteration.map { "\($0), the largest share in \(name)" } ?? "\(name) \(took)"
            logger.warning("\(text)\(more)", metadata: report.metadata)
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
