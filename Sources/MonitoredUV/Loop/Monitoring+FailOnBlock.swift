/// A dispatch, or an iteration made of many, ran for longer than a test allows: what `failOnBlock` throws.
public struct LoopBlockedError: Error, CustomStringConvertible {
    /// What ran for too long, longest first, each with the stack that the watchdog found it with.
    public let blocks: [StallReport]
    /// What was allowed.
    public let limit: Duration

    /// A line for each block, and its stack.
    public var description: String {
        let count = blocks.count
        let iterations = blocks.filter { $0.dispatches != nil }.count
        let what = iterations == 0 ? "dispatch" : iterations == count ? "iteration" : "dispatches and iteration"
        let plural = count == 1 ? "" : what == "dispatch" ? "es" : "s"
        let head = "\(count) \(what)\(plural) ran for longer than \(limit.brief):"
        return ([head] + blocks.map(\.description)).joined(separator: "\n")
    }
}

extension Monitoring {
    /// For tests: throws if a dispatch of this loop, or an iteration made of many, runs for longer than `limit` while
    /// `body` does.
    ///
    /// ```swift
    /// try loop.monitoring.failOnBlock(over: .milliseconds(50)) {
    ///     try loop.run()
    /// }
    /// ```
    ///
    /// Raises the ``level`` to `metrics`. What `body` throws comes first.
    ///
    /// - Throws: ``LoopBlockedError``, which names the dispatches and shows where their thread was. Only the part of a
    ///   dispatch counts that lies within.
    @discardableResult
    public func failOnBlock<T>(over limit: Duration, _ body: () throws -> T) throws -> T {
        let collector = BlockCollector(limit, on: shared, isPartOfADispatch: shared.isRunningHere)
        defer { collector.end() }
        let result = try body()
        if !WatchingThread.shared.look() { throw BlockCollector.unwatched }
        try collector.check()
        return result
    }

    /// The same around what a task does, on this loop or on another one.
    @discardableResult
    public func failOnBlock<T: Sendable>(
        over limit: Duration,
        isolation: isolated (any Actor)? = #isolation,
        _ body: () async throws -> T
    ) async throws -> T {
        // A dispatch that began unmonitored is not recorded.
        let isUnrecorded = shared.isRunningHere && shared.vitals.inFlight.current == nil
        let collector = BlockCollector(limit, on: shared)
        defer { collector.end() }
        if isUnrecorded { await Task.yield() }
        let result = try await body()
        let isWatched = await withCheckedContinuation { continuation in
            if !WatchingThread.shared.perform({ continuation.resume(returning: true) }) {
                continuation.resume(returning: false)
            }
        }
        if !isWatched { throw BlockCollector.unwatched }
        try collector.check()
        return result
    }
}

/// Keeps what a listener is told from now on.
private final class BlockCollector: Sendable {
    /// For what any thread may call.
    private let shared: LoopShared
    private let limit: UInt64
    private let began = MonotonicClock.read()
    private let listener: StallListener

    /// - Parameter isPartOfADispatch: All of the body runs in the callback that the loop is in.
    init(_ limit: Duration, on shared: LoopShared, isPartOfADispatch: Bool = false) {
        require(limit >= .milliseconds(1), "failOnBlock(over: \(limit)): the limit is 1 ms at least")
        self.shared = shared
        self.isPartOfADispatch = isPartOfADispatch
        self.limit = limit.nanosecondsClamped
        let reports = Lock<[StallID: StallReport]>([:])
        self.reports = reports
        listener = StallListener(limit: self.limit, isWatching: true, isDirect: true, reports: nil) { report in
            reports.withLock { $0[report.id] = report }
        }
        // The time that a dispatch has run for already does not count.
        listener.excuse(at: began)
        shared.listen(listener)
    }

    private let isPartOfADispatch: Bool

    /// The last report of each stall.
    private let reports: Lock<[StallID: StallReport]>

    func end() { shared.stopListening(listener) }

    static var unwatched: UVError {
        UVError(
            .resourceTemporarilyUnavailable,
            operation: "failOnBlock",
            detail: "the watchdog's thread could not be started"
        )
    }

    func check() throws {
        let end = MonotonicClock.read()
        var reports = reports.withLock { $0 }
        for report in recorded(at: end) where reports[report.id] == nil { reports[report.id] = report }
        var blocks = reports.values.filter { $0.lies(over: limit, between: began, and: end) }
        // In a callback of the loop the body is a part of that.
        if blocks.isEmpty && isPartOfADispatch && end - began > limit { blocks = [blockOfThisCallback(end - began)] }
        if blocks.isEmpty { return }
        blocks = blocks.map { $0.with(shared.watch.stack(of: $0.id)) }
        let sorted = blocks.sorted { $0.duration > $1.duration }
        throw LoopBlockedError(blocks: sorted, limit: Duration(nanoseconds: limit))
    }

    private func blockOfThisCallback(_ wall: UInt64) -> StallReport {
        let running = shared.vitals.inFlight.current
        let dispatch = InFlight.Dispatch(
            start: began,
            name: running?.name ?? .unmonitored,
            kind: running?.kind ?? .posted
        )
        return report(of: dispatch, wall)
    }

    /// The dispatches that ran for too long, from the flight recorder: a loop does not tell of one that was under way when
    /// the body began, and on a busy machine nobody may have looked before it ended.
    private func recorded(at now: UInt64) -> [StallReport] {
        let (ended, running) = Trace.dispatches(of: shared.vitals)
        let long = ended.filter { $0.end > began && $0.wallTime > limit }.map { record in
            report(of: InFlight.Dispatch(start: record.start, name: record.name, kind: record.kind), record.wallTime)
        }
        guard let running, now > running.start else { return long }
        return long + [report(of: running, now - running.start)]
    }

    private func report(of dispatch: InFlight.Dispatch, _ wall: UInt64) -> StallReport {
        StallReport(
            phase: .ended,
            loopName: shared.name.text,
            callbackName: dispatch.name.text,
            kind: dispatch.kind,
            duration: Duration(nanoseconds: wall),
            limit: Duration(nanoseconds: limit),
            cause: nil,
            call: nil,
            stack: [],
            suppressed: 0,
            start: dispatch.start,
            dispatches: nil
        )
    }
}

extension StallReport {
    /// Whether more than `limit` of the dispatch lies between the two instants.
    func lies(over limit: UInt64, between begin: UInt64, and end: UInt64) -> Bool {
        min(start + duration.nanosecondsClamped, end) > max(start, begin) + limit
    }
}
