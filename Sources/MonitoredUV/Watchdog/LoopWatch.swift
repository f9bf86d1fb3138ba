internal import CMonitoredUV
import Synchronization

/// One loop as the watching thread sees it: who wants to know what of it, and what it has told.
final class LoopWatch: Sendable {
    let vitals: LoopVitals
    /// The thread that is inside a run of the loop. Who holds the lock keeps it from leaving.
    let thread = Lock<WatchedThread?>(nil)
    /// The shortest limit of all listeners.
    let limit = Atomic<UInt64>(.max)
    /// How many other loops run on that thread, in whose callbacks this one runs.
    private let nesting = Atomic<Int>(0)
    var depth: Int {
        get { nesting.load(ordering: .relaxed) }
        set { nesting.store(newValue, ordering: .relaxed) }
    }
    /// Reports that nobody got.
    let dropped = Atomic<Int>(0)

    private let listeners = Lock<[StallListener]>([])

    /// A dispatch or an iteration past the limit, left here by the loop's thread when it ended.
    enum Ended: Sendable {
        case dispatch(InFlight.Dispatch, wall: UInt64)
        case iteration(IterationSummary)

        var start: UInt64 {
            switch self {
            case .dispatch(let dispatch, _): dispatch.start
            case .iteration(let summary): summary.start
            }
        }

        var end: UInt64 {
            switch self {
            case .dispatch(let dispatch, let wall): dispatch.start + wall
            case .iteration(let summary): summary.end
            }
        }
    }

    private let ended = Lock<[Ended]>([])
    private static let mostEnded = 1024

    /// The last stalls, for the flight recorder's pictures.
    struct Mark: Sendable {
        let id: StallID
        var stack: [StackFrame]
        let cause: StallCause?
        /// What the stack is to be looked up from once more, with files and lines.
        var sample: StackSample?
    }

    private let marks = Lock<[Mark]>([])
    private static let mostMarks = 64

    /// By cause.
    private let durations = Lock<[StallCause: DurationHistogram]>([:])

    init(_ vitals: LoopVitals) { self.vitals = vitals }

    // MARK: Any thread

    func add(_ listener: StallListener) {
        listeners.withLock {
            $0.append(listener)
            updateLimit($0)
        }
    }

    func remove(_ listener: StallListener) {
        listeners.withLock {
            $0.removeAll { $0 === listener }
            updateLimit($0)
        }
    }

    private func updateLimit(_ listeners: [StallListener]) {
        limit.store(listeners.map(\.limit).min() ?? .max, ordering: .relaxed)
    }

    var recentMarks: [Mark] { marks.withLock { $0 } }
    var stallDurations: [StallCause: DurationHistogram] { durations.withLock { $0 } }

    // MARK: Loop thread

    /// A dispatch or an iteration ran for longer than the shortest limit.
    func append(_ new: Ended) {
        let isDropped = ended.withLock { ended in
            if ended.count == Self.mostEnded { return true }
            ended.append(new)
            return false
        }
        if isDropped { dropped.wrappingAdd(1, ordering: .relaxed) }
        WatchingThread.shared.wake()
    }

    // MARK: Watching thread

    /// Looks once, and says when to look again; `late` if this look was.
    func look(at now: UInt64, _ late: Standstill.Lateness?, _ memory: UnsafeMutablePointer<muv_stack>) -> UInt64 {
        let listeners = listeners.withLock { $0 }
        // Before those that have ended: what ends meanwhile is among these.
        let running = vitals.inFlight.current
        let iteration = vitals.time.iterationStart
        var standstill: UInt64?
        if case .stoodStill(let since) = late {
            standstill = since
            listeners.forEach { $0.excuse(at: now) }
        }
        for ended in takeEnded() { tell(ended, standstill, now, listeners) }
        var next = UInt64.max
        for listener in listeners {
            let isStarved = late == .starved
            let findings = [
                listener.observe(running, at: now, isStarved: isStarved, usage: readUsage),
                listener.observeIteration(
                    since: iteration,
                    running: running,
                    at: now,
                    isStarved: isStarved,
                    usage: readUsage,
                    summary: { summary(from: $0, running: running, limit: listener.limit, now) }
                ),
            ]
            for case let (phase, stall)? in findings where !muv_is_traced() {
                report(phase, stall, listener, now) { capture(stall, memory) }
            }
            next = min(next, listener.nextLook(after: now))
        }
        return next
    }

    /// Sums up the iteration that began at `start`, as far as it has come.
    private func summary(
        from start: UInt64,
        running: InFlight.Dispatch?,
        limit: UInt64,
        _ now: UInt64
    ) -> IterationSummary {
        let metrics = vitals.metrics
        return IterationSummary(
            from: start,
            to: now,
            metrics?.ring.read(since: start) ?? [],
            running: running,
            dispatches: (metrics?.dispatchesOfIteration ?? 0) + (running == nil ? 0 : 1),
            limit: limit
        )
    }

    /// The loop is closed, and was looked at for the last time.
    func end() { listeners.withLock { $0 = [] } }

    private func takeEnded() -> [Ended] {
        ended.withLock { ended in
            defer { ended = [] }
            return ended
        }
    }

    private func tell(_ ended: Ended, _ standstill: UInt64?, _ now: UInt64, _ listeners: [StallListener]) {
        if let standstill, ended.end >= standstill { return }
        let isKnown = marks.withLock { marks in marks.contains { (ended.start...ended.end).contains($0.id.start) } }
        if !isKnown && muv_is_traced() { return }
        for listener in listeners {
            guard let stall = stall(of: ended, for: listener, now) else { continue }
            if listener.isCounted, let cause = stall.cause {
                durations.withLock { $0[cause, default: DurationHistogram()].record(stall.duration) }
            }
            report(.ended, stall, listener, now) {}
        }
    }

    private func stall(of ended: Ended, for listener: StallListener, _ now: UInt64) -> StallTracker.Stall? {
        switch ended {
        case .dispatch(let dispatch, let wall):
            return listener.ended(dispatch, wall: wall, at: now, usage: readUsage)
        case .iteration(let summary):
            return listener.ended(summary, at: now, usage: readUsage)
        }
    }

    /// - Parameter prepare: Called if the listener is to be told.
    private func report(
        _ phase: StallReport.Phase,
        _ stall: StallTracker.Stall,
        _ listener: StallListener,
        _ now: UInt64,
        prepare: () -> Void
    ) {
        switch listener.admit(stall, at: now) {
        case .refusedBefore: return
        case .refused: dropped.wrappingAdd(1, ordering: .relaxed)
        case .admitted(let suppressed):
            prepare()
            if listener.isDirect { return listener.tell(makeReport(phase, stall, listener.limit, suppressed)) }
            WatchingThread.shared.report { [self] in
                // Only the first one must not wait.
                if phase != .began { complete(stall.id) }
                listener.tell(makeReport(phase, stall, listener.limit, suppressed))
            }
        }
    }

    private func makeReport(
        _ phase: StallReport.Phase,
        _ stall: StallTracker.Stall,
        _ limit: UInt64,
        _ suppressed: Int
    ) -> StallReport {
        StallReport(
            phase: phase,
            loopName: vitals.name.text,
            callbackName: stall.dispatch.name.text,
            kind: stall.dispatch.kind,
            duration: Duration(nanoseconds: stall.duration),
            limit: Duration(nanoseconds: limit),
            cause: stall.cause,
            stack: stack(of: stall.id),
            suppressed: suppressed,
            start: stall.dispatch.start,
            dispatches: stall.dispatches
        )
    }

    private func readUsage() -> ThreadUsage? { thread.withLock { $0?.usage }?.read() }

    /// Looks at the stack, once in the life of a stall: that may end a call early which it waits in.
    private func capture(_ stall: StallTracker.Stall, _ memory: UnsafeMutablePointer<muv_stack>) {
        let id = stall.id
        if marks.withLock({ $0.contains { $0.id == id } }) { return }
        let isCaptured = thread.withLock { thread in thread?.capture(into: memory) == true }
        // The thread may have left that dispatch, or be between two of the iteration, before it answered.
        let current = vitals.inFlight.current
        let isStillThere = id.isIteration ? current != nil && isGoingOn(id.start) : current?.start == id.start
        let sample = isCaptured && isStillThere ? StackSample(memory, depth: depth) : nil
        let isQuick = SourceLocations.areQuick
        let mark = Mark(
            id: id,
            stack: sample?.frames(withLocations: isQuick) ?? [],
            cause: stall.cause,
            sample: isQuick ? nil : sample
        )
        marks.withLock { marks in
            if marks.count == Self.mostMarks { marks.removeFirst() }
            marks.append(mark)
        }
    }

    private func isGoingOn(_ start: UInt64) -> Bool { vitals.time.iterationStart == start }

    // MARK: Any thread

    /// Where the loop's thread was found; empty if it was not looked at.
    func stack(of id: StallID) -> [StackFrame] {
        marks.withLock { marks in marks.last { $0.id == id }?.stack } ?? []
    }

    /// Looks up files and lines, where they take long to find. Not on the watching thread.
    func complete(_ id: StallID) {
        guard let sample = marks.withLock({ marks in marks.last { $0.id == id }?.sample }) else { return }
        let stack = sample.frames(withLocations: true)
        marks.withLock { marks in
            guard let index = marks.lastIndex(where: { $0.id == id }) else { return }
            marks[index].stack = stack
            marks[index].sample = nil
        }
    }
}
