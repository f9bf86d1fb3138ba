import MonitoredUV

/// A metric of a loop, under the name that dashboards use.
struct LoopMetric: Sendable {
    enum Kind: String { case counter, gauge, histogram }

    enum Value {
        case number(Double)
        case count(Int)
        case durations(DurationHistogram)
    }

    /// A value and its labels, apart from the label of the loop.
    typealias Sample = (labels: [(String, String)], value: Value)

    let name: String
    let type: Kind
    let help: String
    /// Whether loops count it at every level; the others are known only of loops that were monitored.
    private(set) var isKnownAtEveryLevel = false
    /// Reads the samples from a snapshot; for names, only the first `names`.
    let samples: @Sendable (_ snapshot: LoopSnapshot, _ names: Int) -> [Sample]

    private init(
        _ name: String,
        _ type: Kind,
        _ help: String,
        _ samples: @escaping @Sendable (LoopSnapshot, _ names: Int) -> [Sample]
    ) {
        self.name = name
        self.type = type
        self.help = help
        self.samples = samples
    }

    private init(_ name: String, _ type: Kind, _ help: String, value: @escaping @Sendable (LoopSnapshot) -> Value) {
        self.init(name, type, help) { snapshot, _ in [([], value(snapshot))] }
    }

    private var atEveryLevel: LoopMetric {
        var result = self
        result.isKnownAtEveryLevel = true
        return result
    }

    static let all = [
        LoopMetric(
            "uv_loop_time_seconds_total",
            .counter,
            "Time of the loop by state: active (callbacks and libuv), idle (waiting in the poll), or monitor."
        ) { snapshot, _ in
            let time = snapshot.time
            return labeled(
                "state",
                [("active", time.callbacks + time.overhead), ("idle", time.poll), ("monitor", time.monitor)]
            ) { .number($0.seconds) }
        },
        LoopMetric(
            "uv_loop_utilization_ratio",
            .gauge,
            "Share of the loop's time since monitoring began that it did not wait for I/O."
        ) { .number($0.time.utilization) },
        LoopMetric("uv_loop_iterations_total", .counter, "Iterations of the loop.") { .count($0.iterations.count) },
        LoopMetric(
            "uv_loop_iteration_duration_seconds",
            .histogram,
            "Busy time of an iteration, from the return of its poll to the next poll."
        ) { .durations($0.iterations) },
        LoopMetric(
            "uv_loop_iteration_time_seconds_total",
            .counter,
            "Total time of iterations that were busy for at least 'over' seconds, accurate to 3%."
        ) { snapshot, _ in sums(snapshot.iterations) },
        LoopMetric(
            "uv_callback_duration_seconds",
            .histogram,
            "Wall time of dispatches, by kind."
        ) { snapshot, _ in
            let kinds = CallbackKind.allCases.map { ($0.rawValue, snapshot.wallTime($0)) }
            return labeled("kind", kinds.filter { $0.1.count > 0 }) { .durations($0) }
        },
        LoopMetric(
            "uv_schedule_duration_seconds",
            .histogram,
            "Lag of dispatches: time from ready to start, by source."
        ) { snapshot, _ in
            let sources = LagSource.allCases.map { ($0.rawValue, snapshot.lag($0)) }
            return labeled("source", sources.filter { $0.1.count > 0 }) { .durations($0) }
        },
        LoopMetric(
            "uv_schedule_time_seconds_total",
            .counter,
            "Total waiting time of dispatches that waited at least 'over' seconds, accurate to 3%."
        ) { snapshot, _ in
            LagSource.allCases.filter { snapshot.lag($0).count > 0 }
                .flatMap { sums(snapshot.lag($0), [("source", $0.rawValue)]) }
        },
        LoopMetric(
            "uv_poll_delay_seconds",
            .histogram,
            "How late timed polls returned: scheduling delay, not the loop's."
        ) { .durations($0.pollDelays) },
        LoopMetric("uv_queue_length", .gauge, "Posted closures and jobs that are waiting.") { .count($0.queueLength) }
            .atEveryLevel,
        LoopMetric("uv_timers", .gauge, "Scheduled callbacks and sleeping tasks.") {
            .count($0.timers)
        }.atEveryLevel,
        LoopMetric(
            "uv_enqueues_total",
            .counter,
            "Closures and jobs that were queued, by source."
        ) { snapshot, _ in
            let enqueues = snapshot.enqueues
            return labeled(
                "source",
                [
                    ("local", enqueues.localPosts), ("remote", enqueues.remotePosts), ("local_job", enqueues.localJobs),
                    ("remote_job", enqueues.remoteJobs),
                ]
            ) { .count($0) }
        },
        LoopMetric("uv_loop_tasks_total", .counter, "Tasks that a loop of SwiftNIO has run, if they are counted.") {
            snapshot,
            _ in
            snapshot.tasks == 0 ? [] : [([], .count(snapshot.tasks))]
        },
        LoopMetric("uv_wakeups_total", .counter, "Times that another thread woke the loop.") { .count($0.wakeups) }
            .atEveryLevel,
        LoopMetric("uv_handles", .gauge, "Open handles, by type.") { snapshot, _ in counts(snapshot.handles) }
            .atEveryLevel,
        LoopMetric("uv_requests", .gauge, "Open requests, by type.") { snapshot, _ in counts(snapshot.requests) }
            .atEveryLevel,
        LoopMetric(
            "uv_stall_duration_seconds",
            .histogram,
            "Durations of dispatches and iterations past the watchdog's limit, by cause."
        ) { snapshot, _ in
            labeled("cause", StallCause.allCases.map { ($0.rawValue, snapshot.stallDuration($0)) }) { .durations($0) }
        },
        LoopMetric(
            "uv_callback_age_seconds",
            .gauge,
            "Age of the running dispatch; 0 if none is running."
        ) { .number($0.running?.age.seconds ?? 0) },
        LoopMetric("uv_monitor_dropped_total", .counter, "Reports of stalls and slow callbacks that were dropped.") {
            .count($0.droppedReports)
        },
        LoopMetric("uv_callback_name_seconds_total", .counter, "Wall time of the dispatches of a name.") {
            ofNames($0, $1) { .number($0.total.seconds) }
        },
        LoopMetric("uv_callback_name_total", .counter, "Dispatches of a name.") {
            ofNames($0, $1) { .count($0.count) }
        },
        LoopMetric(
            "uv_callback_name_blame_seconds_total",
            .counter,
            "Time that other dispatches waited for those of a name."
        ) {
            ofNames($0, $1) { .number($0.blame.seconds) }
        },
    ]

    // MARK: Samples

    private static func labeled<T>(_ label: String, _ values: [(String, T)], _ value: (T) -> Value) -> [Sample] {
        values.map { ([(label, $0.0)], value($0.1)) }
    }

    /// Returns the total of the durations from each limit on, whose rate is the share of time that they take.
    private static func sums(_ durations: DurationHistogram, _ labels: [(String, String)] = []) -> [Sample] {
        LoopSnapshot.shareLimits.map { limit in
            (labels + [("over", "\(limit.seconds)")], .number(durations.sum(over: limit).seconds))
        }
    }

    private static func counts(_ counts: [String: Int]) -> [Sample] {
        labeled("type", counts.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }) { .count($0) }
    }

    private static func ofNames(
        _ snapshot: LoopSnapshot,
        _ count: Int,
        _ value: (NameStatistics) -> Value
    ) -> [Sample] {
        if count <= 0 { return [] }
        return labeled("name", snapshot.top(count, by: .total).map { ($0.callbackName, $0) }, value)
    }
}
