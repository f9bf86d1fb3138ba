/// A loop's statistics at one instant: a value that can be kept, sent, subtracted, and added.
///
/// Dispatches, iterations, times, and names are counted from level ``MonitoringLevel/metrics`` up; handles, requests,
/// timers, and wake-ups at every level. The difference of two snapshots of a loop covers the time between them. The sum
/// of snapshots of several loops or machines covers all of them.
///
/// ```swift
/// let before = loop.monitoring.snapshot()
/// // …
/// let interval = loop.monitoring.snapshot() - before
/// print(interval.time.utilization, interval.lag(.timer).percentile(99))
/// ```
public struct LoopSnapshot: Sendable, Hashable, Codable {
    /// The name of the loop; several names if snapshots were added.
    public private(set) var loopNames: [String]

    /// The loop's time by use, including work in progress.
    public internal(set) var time: LoopTime

    /// The busy time of each iteration, from the return of one poll to the start of the next, including the monitor's
    /// time.
    public internal(set) var iterations: DurationHistogram

    /// How late timed polls returned: scheduling delay, not the loop's.
    public internal(set) var pollDelays: DurationHistogram

    var wallTimes: [CallbackKind: DurationHistogram]
    var lags: [LagSource: DurationHistogram]

    /// The number of posted closures and jobs that are waiting. At level `off`, only those of other threads that the
    /// loop has not yet taken.
    public internal(set) var queueLength: Int

    /// The highest queue length ever seen between dispatches; in a sum, that of the loop with the highest.
    public internal(set) var queueLengthPeak: Int

    /// The number of scheduled callbacks and sleeping tasks. A ``UVTimer`` is a handle, and not counted here.
    public internal(set) var timers: Int

    /// The number of tasks that a loop of SwiftNIO has run, if its group was made with `NIOLoops.metricsDelegate`.
    public internal(set) var tasks: Int

    /// The highest number of such tasks in one iteration; in a sum, that of the loop with the highest.
    public internal(set) var tasksPeak: Int

    /// The numbers of closures and jobs that were queued, by origin. At level `off`, they are not counted.
    public struct Enqueues: Sendable, Hashable, Codable {
        /// Closures posted by the loop's own thread.
        public internal(set) var localPosts = 0
        /// Closures posted by other threads.
        public internal(set) var remotePosts = 0
        /// Jobs of tasks enqueued by the loop's own thread.
        public internal(set) var localJobs = 0
        /// Jobs of tasks enqueued by other threads.
        public internal(set) var remoteJobs = 0
    }

    /// The number of queued closures and jobs, by source.
    public internal(set) var enqueues: Enqueues

    /// The number of times another thread woke the loop from its poll: once for any number of closures and jobs that
    /// the loop has not yet taken. The corresponding libuv function is `uv_async_send`.
    public internal(set) var wakeups: Int

    /// The number of open handles, including closing ones, by libuv's name for their type: `tcp`, `timer`.
    public internal(set) var handles: [String: Int]

    /// The number of requests in progress, by libuv's name for their type: `write`, `connect`.
    public internal(set) var requests: [String: Int]

    /// The statistics of each name, in no particular order.
    public internal(set) var names: [NameStatistics]

    /// A dispatch that was running.
    public struct Running: Sendable, Hashable, Codable {
        /// As in ``IOLoopMonitorState/callbackPrettyName``.
        public let callbackName: String
        /// The reason for the loop's call into your code.
        public let kind: CallbackKind
        let nanoseconds: UInt64
        /// The time that it had been running.
        public var age: Duration { Duration(nanoseconds: nanoseconds) }
    }

    /// The dispatch that was running; in a sum, the one that had been running the longest.
    public internal(set) var running: Running?

    /// Durations of dispatches past a watchdog's limit, by cause.
    var stalls: [StallCause: DurationHistogram]

    /// The number of reports of watchdogs and of slow-callback logs suppressed because there were too many.
    public internal(set) var droppedReports: Int

    init(loopName: String, time: LoopTime) {
        loopNames = [loopName]
        self.time = time
        iterations = DurationHistogram()
        pollDelays = DurationHistogram()
        wallTimes = [:]
        lags = [:]
        queueLength = 0
        queueLengthPeak = 0
        timers = 0
        tasks = 0
        tasksPeak = 0
        enqueues = Enqueues()
        wakeups = 0
        handles = [:]
        requests = [:]
        names = []
        stalls = [:]
        droppedReports = 0
    }

    /// Returns the wall times of the dispatches of a kind.
    public func wallTime(_ kind: CallbackKind) -> DurationHistogram { wallTimes[kind] ?? DurationHistogram() }

    /// The wall times of the dispatches of all kinds.
    public var wallTime: DurationHistogram { wallTimes.values.reduce(DurationHistogram(), +) }

    /// Returns the lag of the dispatches from `source`; for I/O, the upper bound.
    public func lag(_ source: LagSource) -> DurationHistogram { lags[source] ?? DurationHistogram() }

    /// The lag of the dispatches from all sources.
    public var lag: DurationHistogram { lags.values.reduce(DurationHistogram(), +) }

    /// Returns the share of the loop's time, from 0 to 1, that it spent in iterations of `limit` or longer. For a loop
    /// that is blocked for one second in three it is 0.33, whatever the percentiles of its many short iterations say.
    public func timeShare(inIterationsOver limit: Duration) -> Double {
        time.elapsed <= .zero ? 0 : min(1, iterations.sum(over: limit) / time.elapsed)
    }

    /// Returns the share, from 0 to 1, of the total waiting time that belongs to dispatches that waited for `limit` or
    /// longer.
    public func waitShare(over limit: Duration) -> Double {
        let lag = lag
        return lag.sum <= .zero ? 0 : min(1, lag.sum(over: limit) / lag.sum)
    }

    /// The limits for which descriptions and metrics give these shares.
    package static let shareLimits: [Duration] = [
        .milliseconds(1), .milliseconds(10), .milliseconds(100), .seconds(1),
    ]

    /// Returns the durations of dispatches past a watchdog's limit, recorded when they end.
    public func stallDuration(_ cause: StallCause) -> DurationHistogram { stalls[cause] ?? DurationHistogram() }

    /// The number of dispatches that ended.
    public var dispatches: Int { wallTimes.values.reduce(0) { $0 + $1.count } }

    // MARK: Names

    /// A sort key for ``top(_:by:)``.
    public enum Weight: Sendable, CaseIterable {
        /// The total wall time.
        case total
        /// The longest wall time.
        case worst
        /// The time that other dispatches waited for those of the name.
        case blame
    }

    /// Returns the `count` heaviest names, heaviest first. `_OTHER` may be among them.
    public func top(_ count: Int, by weight: Weight) -> [NameStatistics] {
        func value(_ name: NameStatistics) -> UInt64 {
            switch weight {
            case .total: name.wallTime.sumNanoseconds
            case .worst: name.wallTime.maxNanoseconds
            case .blame: name.blameNanoseconds
            }
        }
        return Array(names.sorted { (value($0), $1.callbackName) > (value($1), $0.callbackName) }.prefix(count))
    }

    // MARK: Arithmetic

    /// Subtracts two snapshots of the same loop, or two sums of the same loops. Numbers of things that the loop holds,
    /// such as handles, are those of `later`. Traps if the loops' names differ.
    public static func - (later: LoopSnapshot, earlier: LoopSnapshot) -> LoopSnapshot {
        require(
            later.loopNames.sorted() == earlier.loopNames.sorted(),
            "a snapshot of \(earlier.loopNames) cannot be subtracted from one of \(later.loopNames)"
        )
        var result = later
        result.time = later.time - earlier.time
        result.iterations = later.iterations - earlier.iterations
        result.pollDelays = later.pollDelays - earlier.pollDelays
        result.wallTimes = later.wallTimes.subtracting(earlier.wallTimes)
        result.lags = later.lags.subtracting(earlier.lags)
        result.stalls = later.stalls.subtracting(earlier.stalls)
        result.enqueues.localPosts -= earlier.enqueues.localPosts
        result.enqueues.remotePosts -= earlier.enqueues.remotePosts
        result.enqueues.localJobs -= earlier.enqueues.localJobs
        result.enqueues.remoteJobs -= earlier.enqueues.remoteJobs
        result.wakeups -= earlier.wakeups
        result.tasks -= earlier.tasks
        result.droppedReports -= earlier.droppedReports
        result.names = NameStatistics.difference(later.names, earlier.names)
        return result
    }

    /// Adds the snapshots of two loops.
    public static func + (left: LoopSnapshot, right: LoopSnapshot) -> LoopSnapshot {
        var result = left
        result.loopNames += right.loopNames
        result.time = left.time + right.time
        result.iterations = left.iterations + right.iterations
        result.pollDelays = left.pollDelays + right.pollDelays
        result.wallTimes.merge(right.wallTimes, uniquingKeysWith: +)
        result.lags.merge(right.lags, uniquingKeysWith: +)
        result.stalls.merge(right.stalls, uniquingKeysWith: +)
        result.queueLength += right.queueLength
        result.timers += right.timers
        result.tasks += right.tasks
        result.tasksPeak = max(left.tasksPeak, right.tasksPeak)
        result.queueLengthPeak = max(left.queueLengthPeak, right.queueLengthPeak)
        result.enqueues.localPosts += right.enqueues.localPosts
        result.enqueues.remotePosts += right.enqueues.remotePosts
        result.enqueues.localJobs += right.enqueues.localJobs
        result.enqueues.remoteJobs += right.enqueues.remoteJobs
        result.wakeups += right.wakeups
        result.handles.merge(right.handles, uniquingKeysWith: +)
        result.requests.merge(right.requests, uniquingKeysWith: +)
        result.names = NameStatistics.sum(left.names, right.names)
        result.droppedReports += right.droppedReports
        if let other = right.running, other.nanoseconds > left.running?.nanoseconds ?? 0 { result.running = other }
        return result
    }
}

extension Dictionary where Value == DurationHistogram {
    fileprivate func subtracting(_ earlier: Self) -> Self {
        Self(
            uniqueKeysWithValues: map { ($0.key, earlier[$0.key].map { [later = $0.value] in later - $0 } ?? $0.value) }
        )
    }
}

extension NameStatistics {
    /// Returns the difference since `earlier`. A name that was evicted in the meantime, even if it has returned, has
    /// moved its earlier statistics to `_OTHER`.
    fileprivate static func difference(_ later: [NameStatistics], _ earlier: [NameStatistics]) -> [NameStatistics] {
        var before = Dictionary(earlier.map { ($0.callbackName, $0) }, uniquingKeysWith: { $1 })
        var others: NameStatistics?
        var result: [NameStatistics] = []
        for name in later {
            if name.callbackName == CallbackName.other.text {
                others = name.since(before.removeValue(forKey: name.callbackName))
            } else if let old = before[name.callbackName], old.epoch == name.epoch, old.count <= name.count {
                before[name.callbackName] = nil
                result.append(name.since(old))
            } else {
                result.append(name)
            }
        }
        if let sum = others { result.append(before.values.reduce(sum) { $0.since($1) }) }
        return result.filter { $0.wallTime.count > 0 || $0.blameNanoseconds > 0 }
    }

    fileprivate static func sum(_ left: [NameStatistics], _ right: [NameStatistics]) -> [NameStatistics] {
        // The residencies of names in several loops cannot be distinguished, so the epoch is 0.
        var result: [String: NameStatistics] = [:]
        for name in left + right {
            var known =
                result[name.callbackName]
                ?? NameStatistics(
                    name: name.callbackName,
                    wallTime: DurationHistogram(.coarse),
                    blameNanoseconds: 0,
                    epoch: 0
                )
            known.wallTime = known.wallTime + name.wallTime
            known.blameNanoseconds &+= name.blameNanoseconds
            result[name.callbackName] = known
        }
        return result.values.sorted { $0.callbackName < $1.callbackName }
    }

    private func since(_ earlier: NameStatistics?) -> NameStatistics {
        guard let earlier else { return self }
        var result = self
        result.wallTime = wallTime - earlier.wallTime
        let (blame, old) = (blameNanoseconds, earlier.blameNanoseconds)
        result.blameNanoseconds = blame > old ? blame - old : 0
        return result
    }
}
