internal import CMonitoredUV
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

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

    /// The last stalls, for reports and the flight recorder's pictures.
    struct Mark: Sendable {
        let id: StallID
        let cause: StallCause?
        var sample: StackSample?
        /// The sample's functions, once somebody has asked for them.
        var stack = StackSample.Stack()
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

    /// With their stacks, which takes some milliseconds for each. Not on the watching thread.
    var recentMarks: [Mark] {
        marks.withLock { $0 }.map { mark in
            var mark = mark
            mark.stack = stack(of: mark.id)
            return mark
        }
    }
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
    func look(at now: UInt64, _ late: Standstill.Lateness?, _ sampler: inout StackSampler) -> UInt64 {
        let listeners = listeners.withLock { $0 }
        // Before those that have ended: what ends meanwhile is among these.
        let running = vitals.inFlight.current
        let iteration = vitals.time.iterationStart
        var standstill: UInt64?
        if case .stoodStill(let since) = late {
            standstill = since
            listeners.forEach { $0.excuse(at: now) }
        }
        let ended = takeEnded()
        if !ended.isEmpty { sampler.finish(self) }  // reports that wait for a stack come first
        for ended in ended { tell(ended, standstill, now, listeners, &sampler) }
        for listener in listeners { tellUnannounced(running, iteration, ended, now, listener, &sampler) }
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
                report(phase, stall, listener, now, &sampler)
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

    private func tell(
        _ ended: Ended,
        _ standstill: UInt64?,
        _ now: UInt64,
        _ listeners: [StallListener],
        _ sampler: inout StackSampler
    ) {
        let isKnown = marks.withLock { marks in marks.contains { (ended.start...ended.end).contains($0.id.start) } }
        if !isKnown && muv_is_traced() { return }
        for listener in listeners {
            // The length of what went on while the process stood still says nothing; what was reported has an end all the same.
            if let standstill, ended.end >= standstill, !listener.hasReported(ended.start) { continue }
            guard let stall = stall(of: ended, for: listener, now) else { continue }
            if listener.isCounted, let cause = stall.cause {
                durations.withLock { $0[cause, default: DurationHistogram()].record(stall.duration) }
            }
            report(.ended, stall, listener, now, &sampler)
        }
    }

    /// The loop's thread says nothing of a dispatch that began before it knew of the limit, nor of its monitor, which would
    /// cost something for each dispatch.
    private func tellUnannounced(
        _ running: InFlight.Dispatch?,
        _ iteration: UInt64?,
        _ ended: [Ended],
        _ now: UInt64,
        _ listener: StallListener,
        _ sampler: inout StackSampler
    ) {
        if let (gone, wasReported) = listener.gone(running: running, at: now) {
            let records = vitals.metrics?.ring.read(since: gone.start) ?? []
            let record = records.first { $0.start == gone.start && gone.name != .monitor }
            if wasReported || record != nil {
                sampler.finish(self)  // reports that wait for a stack come first
                let wall = record?.wallTime ?? lastInstant(of: gone, records, running, ended, now) - gone.start
                tell(.dispatch(gone, wall: wall), nil, now, [listener], &sampler)
            }
        }
        if let gone = listener.goneIteration(iteration) {
            sampler.finish(self)
            let summary = summary(
                from: gone.start,
                running: nil,
                limit: listener.limit,
                max(iteration ?? now, gone.start)
            )
            tell(.iteration(summary), nil, now, [listener], &sampler)
        }
    }

    /// The latest instant at which a dispatch that is not in the flight recorder can have ended: when the next one began, or
    /// the iteration ended.
    private func lastInstant(
        of gone: InFlight.Dispatch,
        _ records: [FlightRecord],
        _ running: InFlight.Dispatch?,
        _ ended: [Ended],
        _ now: UInt64
    ) -> UInt64 {
        let iteration = ended.first { ($0.start..<$0.end).contains(gone.start) }
        let candidates = [records.first { $0.start > gone.start }?.start, iteration?.end, running?.start, now]
        return max(gone.start, candidates.compactMap { $0 }.filter { $0 > gone.start }.min() ?? now)
    }

    private func stall(of ended: Ended, for listener: StallListener, _ now: UInt64) -> StallTracker.Stall? {
        switch ended {
        case .dispatch(let dispatch, let wall):
            return listener.ended(dispatch, wall: wall, at: now, usage: readUsage)
        case .iteration(let summary):
            return listener.ended(summary, at: now, usage: readUsage)
        }
    }

    private func report(
        _ phase: StallReport.Phase,
        _ stall: StallTracker.Stall,
        _ listener: StallListener,
        _ now: UInt64,
        _ sampler: inout StackSampler
    ) {
        switch listener.admit(stall, at: now) {
        case .refusedBefore: return
        case .refused: dropped.wrappingAdd(1, ordering: .relaxed)
        case .admitted(let suppressed):
            if phase == .ended { return tell(listener, phase, stall, suppressed) }
            note(stall)
            sampler.sample(self, stall.id, at: now) { [self] in tell(listener, phase, stall, suppressed) }
        }
    }

    /// Only sampling is the watching thread's: what takes its time is the reporting thread's.
    private func tell(
        _ listener: StallListener,
        _ phase: StallReport.Phase,
        _ stall: StallTracker.Stall,
        _ suppressed: Int
    ) {
        if listener.isDirect {
            return listener.tell(makeReport(phase, stall, listener.limit, suppressed, stack: .init()))
        }
        let isQueued = WatchingThread.shared.report { [self] in
            listener.tell(makeReport(phase, stall, listener.limit, suppressed, stack: stack(of: stall.id)))
        }
        if !isQueued { dropped.wrappingAdd(1, ordering: .relaxed) }
    }

    private func makeReport(
        _ phase: StallReport.Phase,
        _ stall: StallTracker.Stall,
        _ limit: UInt64,
        _ suppressed: Int,
        stack: StackSample.Stack
    ) -> StallReport {
        StallReport(
            phase: phase,
            loopName: vitals.name.text,
            callbackName: stall.dispatch.name.text,
            kind: stall.dispatch.kind,
            duration: Duration(nanoseconds: stall.duration),
            limit: Duration(nanoseconds: limit),
            cause: stall.cause,
            call: stack.call,
            stack: stack.frames,
            suppressed: suppressed,
            start: stall.dispatch.start,
            dispatches: stall.dispatches
        )
    }

    private func readUsage() -> ThreadUsage? {
        guard let thread = thread.withLock({ $0 }) else { return nil }
        let usage = withExtendedLifetime(thread) { thread.usage.read() }  // its files are the thread's
        usages.withLock { usages in
            if usages.thread !== thread { usages = (thread, nil, nil) }
            if let usage, usage.running != usages.last?.running { usages = (thread, usages.last, usage) }
        }
        return usage
    }

    /// The last two readings of the thread's usage.
    private let usages = Lock<(thread: WatchedThread?, before: ThreadUsage?, last: ThreadUsage?)>((nil, nil, nil))

    func usageBefore(of thread: WatchedThread) -> ThreadUsage? {
        usages.withLock { $0.thread === thread ? $0.before : nil }
    }

    private func note(_ stall: StallTracker.Stall) {
        marks.withLock { marks in
            if marks.contains(where: { $0.id == stall.id }) { return }
            if marks.count == Self.mostMarks { marks.removeFirst() }
            marks.append(Mark(id: stall.id, cause: stall.cause))
        }
    }

    func hasStack(of id: StallID) -> Bool {
        marks.withLock { marks in marks.contains { $0.id == id && $0.sample != nil } }
    }

    /// The thread's stack was copied. It may have left that dispatch, or be between two of the iteration, meanwhile.
    func keep(_ stack: UnsafeMutablePointer<muv_stack>, of id: StallID) {
        let current = vitals.inFlight.current
        let isStillThere =
            id.isIteration ? current != nil && vitals.time.iterationStart == id.start : current?.start == id.start
        if !isStillThere { return }
        let sample = StackSample(stack, depth: depth)
        marks.withLock { marks in
            if let index = marks.lastIndex(where: { $0.id == id }) { marks[index].sample = sample }
        }
    }

    // MARK: Any thread

    /// Where the loop's thread is. Empty if it runs no dispatch, or goes on to another one before it can be examined.
    func currentStack() -> [StackFrame] {
        guard let dispatch = vitals.inFlight.current, let thread = thread.withLock({ $0 }), !thread.isThisThread else {
            return []
        }
        let stack = UnsafeMutablePointer<muv_stack>.allocate(capacity: 1)
        defer { stack.deallocate() }
        var capture = thread.capture(into: stack, since: usageBefore(of: thread))
        var state = muv_capture_goes_on
        for _ in 0..<2500 where state == muv_capture_goes_on {
            state = self.thread.withLock { $0 === thread ? muv_capture_step(&capture) : muv_capture_cancel(&capture) }
            if state == muv_capture_goes_on { usleep(100) }
        }
        if state == muv_capture_goes_on { state = muv_capture_cancel(&capture) }
        guard state == muv_capture_succeeded, vitals.inFlight.current?.start == dispatch.start else { return [] }
        return StackSample(stack, depth: depth).stack.frames
    }

    /// The stack of a stall; empty if it could not be taken. Not on the watching thread: the first call for a stall looks up
    /// functions, files, and lines.
    func stack(of id: StallID) -> StackSample.Stack {
        guard let mark = marks.withLock({ marks in marks.last { $0.id == id } }) else { return .init() }
        guard mark.stack.frames.isEmpty, let sample = mark.sample else { return mark.stack }
        let stack = sample.stack
        marks.withLock { marks in
            if let index = marks.lastIndex(where: { $0.id == id }) { marks[index].stack = stack }
        }
        return stack
    }
}
