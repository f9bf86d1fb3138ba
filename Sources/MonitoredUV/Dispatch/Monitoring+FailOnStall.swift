/// The error that `failOnStall` throws: a dispatch, or an iteration made of many, ran for longer than a test allows.
public struct LoopStalledError: Error, CustomStringConvertible {
    /// The dispatches and iterations past the limit, longest first, each with the stack that the watchdog captured.
    public let stalls: [StallReport]
    /// The limit that they exceeded.
    public let limit: Duration

    /// A summary, then one line for each stall, followed by its stack.
    public var description: String {
        let count = stalls.count
        let iterations = stalls.filter { $0.dispatches != nil }.count
        let what = iterations == 0 ? "dispatch" : iterations == count ? "iteration" : "dispatches and iteration"
        let plural = count == 1 ? "" : what == "dispatch" ? "es" : "s"
        let head = "\(count) \(what)\(plural) ran for longer than \(limit.brief):"
        return ([head] + stalls.map(\.description)).joined(separator: "\n")
    }
}

extension Monitoring {
    /// Runs `body`, and throws if a dispatch of this loop, or an iteration made of many, runs for longer than `limit`
    /// in the meantime. For tests.
    ///
    /// ```swift
    /// try loop.monitoring.failOnStall(over: .milliseconds(50)) {
    ///     try loop.run()
    /// }
    /// ```
    ///
    /// Raises the ``level`` to `metrics`. An error that `body` throws takes precedence. A limit of less than one
    /// millisecond traps.
    ///
    /// - Throws: ``UVError/Code/resourceTemporarilyUnavailable`` if the watchdog's thread cannot be started, and
    ///   ``LoopStalledError``, which names the dispatches and shows where their thread was. Only the part of a dispatch
    ///   that lies within `body` counts.
    @discardableResult
    public func failOnStall<T>(over limit: Duration, _ body: () throws -> T) throws -> T {
        let collector = StallCollector(limit, on: loop, isPartOfADispatch: loop.isRunningHere)
        defer { collector.end() }
        let result = try body()
        if !WatchdogThread.shared.look() { throw StallCollector.unwatched }
        try collector.check()
        return result
    }

    /// Runs an asynchronous `body`, on this loop or on another one, with the same check.
    @discardableResult
    public func failOnStall<T: Sendable>(
        over limit: Duration,
        isolation: isolated (any Actor)? = #isolation,
        _ body: () async throws -> T
    ) async throws -> T {
        // A dispatch that began unmonitored is not recorded.
        let isUnrecorded = loop.isRunningHere && loop.vitals.inFlight.current == nil
        let collector = StallCollector(limit, on: loop)
        defer { collector.end() }
        if isUnrecorded { await Task.yield() }
        let result = try await body()
        let isWatched = await withCheckedContinuation { continuation in
            if !WatchdogThread.shared.perform({ continuation.resume(returning: true) }) {
                continuation.resume(returning: false)
            }
        }
        if !isWatched { throw StallCollector.unwatched }
        try collector.check()
        return result
    }
}

/// A collector of the reports that a listener receives from now on.
private final class StallCollector: Sendable {
    private let loop: any MonitoredLoop
    private let limit: UInt64
    private let began = MonotonicClock.read()
    private let listener: StallListener

    /// - Parameter isPartOfADispatch: Whether all of the body runs in the loop's current callback.
    init(_ limit: Duration, on loop: any MonitoredLoop, isPartOfADispatch: Bool = false) {
        require(limit >= .milliseconds(1), "failOnStall(over: \(limit)): the limit must be at least 1 ms")
        self.loop = loop
        self.isPartOfADispatch = isPartOfADispatch
        self.limit = limit.nanosecondsClamped
        let reports = Lock<[StallID: StallReport]>([:])
        self.reports = reports
        listener = StallListener(limit: self.limit, isWatching: true, isDirect: true, reports: nil) { report in
            reports.withLock { $0[report.id] = report }
        }
        // The time for which a dispatch has already run does not count.
        listener.resetDeadline(at: began)
        loop.listen(listener)
    }

    private let isPartOfADispatch: Bool

    /// The last report of each stall.
    private let reports: Lock<[StallID: StallReport]>

    func end() { loop.stopListening(listener) }

    static var unwatched: UVError {
        UVError(
            .resourceTemporarilyUnavailable,
            operation: "failOnStall",
            detail: "the watchdog's thread could not be started"
        )
    }

    func check() throws {
        let end = MonotonicClock.read()
        var reports = reports.withLock { $0 }
        for report in recorded(at: end) where reports[report.id] == nil { reports[report.id] = report }
        var stalls = reports.values.filter { $0.lies(over: limit, between: began, and: end) }
        // In a callback of the loop, the body is part of that callback's dispatch.
        if stalls.isEmpty && isPartOfADispatch && end - began > limit { stalls = [stallOfThisCallback(end - began)] }
        if stalls.isEmpty { return }
        stalls = stalls.map { report in loop.watchdog.archive[report.id].map { report.with($0.stack) } ?? report }
        let sorted = stalls.sorted { $0.duration > $1.duration }
        throw LoopStalledError(stalls: sorted, limit: Duration(nanoseconds: limit))
    }

    private func stallOfThisCallback(_ wall: UInt64) -> StallReport {
        let running = loop.vitals.inFlight.current
        let dispatch = InFlight.Dispatch(
            start: began,
            name: running?.name ?? .unmonitored,
            kind: running?.kind ?? .posted
        )
        return report(of: dispatch, wall)
    }

    /// Returns the dispatches that ran for too long, from the flight recorder: a loop does not report one that was
    /// under way when the body began, and on a busy machine the watchdog may not have looked before it ended.
    private func recorded(at now: UInt64) -> [StallReport] {
        let (ended, running) = Trace.dispatches(of: loop.vitals)
        let long = ended.filter { $0.end > began && $0.wallTime > limit }.map { record in
            report(of: InFlight.Dispatch(start: record.start, name: record.name, kind: record.kind), record.wallTime)
        }
        guard let running, now > running.start else { return long }
        return long + [report(of: running, now - running.start)]
    }

    private func report(of dispatch: InFlight.Dispatch, _ wall: UInt64) -> StallReport {
        let sighting = StallTracker.Sighting(dispatch: dispatch, duration: wall, cause: nil)
        return StallReport(.ended, sighting, of: loop.name, limit: limit)
    }
}

extension StallReport {
    /// Whether more than `limit` of the dispatch lies between the two instants.
    func lies(over limit: UInt64, between begin: UInt64, and end: UInt64) -> Bool {
        min(start + duration.nanosecondsClamped, end) > max(start, begin) + limit
    }
}
