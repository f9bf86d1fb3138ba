import MonitoredUV

/// What is told of a loop, under the names that dashboards know.
enum LoopMetric: String, CaseIterable {
    case time = "uv_loop_time_seconds_total"
    case utilization = "uv_loop_utilization_ratio"
    case iterations = "uv_loop_iterations_total"
    case iterationDuration = "uv_loop_iteration_duration_seconds"
    case iterationTime = "uv_loop_iteration_time_seconds_total"
    case callbackDuration = "uv_callback_duration_seconds"
    case scheduleDuration = "uv_schedule_duration_seconds"
    case scheduleTime = "uv_schedule_time_seconds_total"
    case pollDelay = "uv_poll_delay_seconds"
    case queueLength = "uv_queue_length"
    case enqueues = "uv_enqueues_total"
    case wakeups = "uv_wakeups_total"
    case handles = "uv_handle_count"
    case requests = "uv_request_count"
    case stallDuration = "uv_stall_duration_seconds"
    case callbackAge = "uv_callback_age_seconds"
    case monitorTime = "uv_monitor_time_seconds_total"
    case dropped = "uv_monitor_dropped_total"
    case nameTime = "uv_callback_name_seconds_total"
    case nameCount = "uv_callback_name_total"
    case nameBlame = "uv_callback_name_blame_seconds_total"

    enum Kind: String { case counter, gauge, histogram }

    enum Value {
        case number(Double)
        case count(Int)
        case durations(DurationHistogram)
    }

    var name: String { rawValue }

    var type: Kind {
        switch self {
        case .time, .iterations, .iterationTime, .scheduleTime, .enqueues, .wakeups, .monitorTime, .dropped, .nameTime,
            .nameCount, .nameBlame:
            .counter
        case .utilization, .queueLength, .handles, .requests, .callbackAge: .gauge
        case .iterationDuration, .callbackDuration, .scheduleDuration, .pollDelay, .stallDuration: .histogram
        }
    }

    var help: String {
        switch self {
        case .time: "Time of the loop: active in callbacks and libuv, idle in the poll, in the monitor."
        case .utilization: "Share of the loop's time since monitoring began that it did not wait for I/O."
        case .iterations: "Iterations of the loop."
        case .iterationDuration: "How long an iteration was busy, from the return of its poll to the next poll."
        case .iterationTime: "Total time of iterations that were busy for at least 'over' seconds, to 3 %."
        case .callbackDuration: "Wall time of a dispatch, by what made the loop call out."
        case .scheduleDuration: "How long a dispatch had been ready before it started, by where it waited."
        case .scheduleTime: "Total waiting time of dispatches that waited at least 'over' seconds, to 3 %."
        case .pollDelay: "How much later than asked a poll returned that waited for a timer."
        case .queueLength: "Posted closures and jobs that wait."
        case .enqueues: "Closures and jobs that were queued, by the loop's own thread or another."
        case .wakeups: "Times that another thread woke the loop."
        case .handles: "Open handles."
        case .requests: "Requests under way."
        case .stallDuration: "How long dispatches and iterations past the watchdog's limit ran, by cause."
        case .callbackAge: "For how long the running dispatch has been running, 0 where none is."
        case .monitorTime: "Time in the monitor."
        case .dropped: "Reports of stalls that were suppressed."
        case .nameTime: "Wall time of the dispatches of a name."
        case .nameCount: "Dispatches of a name."
        case .nameBlame: "How long other dispatches waited for those of a name."
        }
    }

    /// What the snapshot says: labels beside that of the loop, and the value.
    func samples(
        of snapshot: LoopSnapshot,
        _ options: LoopSnapshot.PrometheusOptions,
        _ body: ([(String, String)], Value) -> Void
    ) {
        switch self {
        case .time:
            let time = snapshot.time
            body([("state", "active")], .number((time.callbacks + time.overhead).seconds))
            body([("state", "idle")], .number(time.poll.seconds))
            body([("state", "monitor")], .number(time.monitor.seconds))
        case .utilization: body([], .number(snapshot.time.utilization))
        case .iterations: body([], .count(snapshot.iterations.count))
        case .iterationDuration: body([], .durations(snapshot.iterations))
        case .iterationTime: sums(snapshot.iterations, [], body)
        case .callbackDuration:
            for kind in CallbackKind.allCases where snapshot.wallTime(kind).count > 0 {
                body([("kind", "\(kind)")], .durations(snapshot.wallTime(kind)))
            }
        case .scheduleDuration:
            for source in LagSource.allCases { body([("source", "\(source)")], .durations(snapshot.lag(source))) }
        case .scheduleTime:
            for source in LagSource.allCases { sums(snapshot.lag(source), [("source", "\(source)")], body) }
        case .pollDelay: body([], .durations(snapshot.pollDelays))
        case .queueLength: body([], .count(snapshot.queueLength))
        case .enqueues:
            let enqueues = snapshot.enqueues
            body([("source", "local")], .count(enqueues.localPosts))
            body([("source", "remote")], .count(enqueues.remotePosts))
            body([("source", "local_job")], .count(enqueues.localJobs))
            body([("source", "remote_job")], .count(enqueues.remoteJobs))
        case .wakeups: body([], .count(snapshot.wakeups))
        case .handles: counts(snapshot.handles, body)
        case .requests: counts(snapshot.requests, body)
        case .stallDuration:
            for cause in StallCause.allCases {
                body([("cause", cause.rawValue)], .durations(snapshot.stallDuration(cause)))
            }
        case .callbackAge: body([], .number(snapshot.running?.age.seconds ?? 0))
        case .monitorTime: body([], .number(snapshot.time.monitor.seconds))
        case .dropped: body([], .count(snapshot.droppedReports))
        case .nameTime: names(snapshot, options) { body($0, .number($1.total.seconds)) }
        case .nameCount: names(snapshot, options) { body($0, .count($1.count)) }
        case .nameBlame: names(snapshot, options) { body($0, .number($1.blame.seconds)) }
        }
    }

    /// For each limit what the durations from there on add up to: its rate is the share of time that they take.
    private func sums(
        _ durations: DurationHistogram,
        _ labels: [(String, String)],
        _ body: ([(String, String)], Value) -> Void
    ) {
        for limit in LoopSnapshot.shareLimits {
            body(labels + [("over", "\(limit.seconds)")], .number(durations.sum(over: limit).seconds))
        }
    }

    private func counts(_ counts: [String: Int], _ body: ([(String, String)], Value) -> Void) {
        for (type, count) in counts.sorted(by: { $0.key < $1.key }) { body([("type", type)], .count(count)) }
    }

    private func names(
        _ snapshot: LoopSnapshot,
        _ options: LoopSnapshot.PrometheusOptions,
        _ body: ([(String, String)], NameStatistics) -> Void
    ) {
        if options.names <= 0 { return }
        for name in snapshot.top(options.names, by: .total) { body([("name", name.name)], name) }
    }
}
