internal import CMonitoredUV
import Synchronization

/// One loop as the watching thread sees it: who wants to know what of it, and what it has told.
final class LoopWatch: Sendable {
    let vitals: LoopVitals
    /// The thread that is inside a run of the loop. Who holds the lock keeps it from leaving.
    let thread = Lock<WatchedThread?>(nil)
    /// The shortest limit of all listeners.
    let limit = Atomic<UInt64>(.max)
    /// Reports that nobody got.
    let dropped = Atomic<Int>(0)

    private let listeners = Lock<[StallListener]>([])

    /// A dispatch past the limit, as the loop's thread leaves it at its end.
    struct Ended: Sendable {
        let dispatch: InFlight.Dispatch
        let wall: UInt64
    }

    private let ended = Lock<[Ended]>([])
    private static let mostEnded = 1024

    /// The last stalls, for the flight recorder's pictures.
    struct Mark: Sendable {
        let start: UInt64
        let sampled: UInt64
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

    /// A dispatch ran for longer than the shortest limit.
    func append(_ dispatch: InFlight.Dispatch, wall: UInt64) {
        let isDropped = ended.withLock { ended in
            if ended.count == Self.mostEnded { return true }
            ended.append(Ended(dispatch: dispatch, wall: wall))
            return false
        }
        if isDropped { dropped.wrappingAdd(1, ordering: .relaxed) }
        WatchingThread.shared.wake()
    }

    // MARK: Watching thread

    /// Looks once, and says when to look again; `late` if this look was.
    func look(at now: UInt64, _ late: Standstill.Lateness?, _ memory: UnsafeMutablePointer<muv_stack>) -> UInt64 {
        let listeners = listeners.withLock { $0 }
        var standstill: UInt64?
        if case .stoodStill(let since) = late {
            standstill = since
            listeners.forEach { $0.excuse(at: now) }
        }
        for ended in takeEnded() { tell(ended, standstill, now, listeners) }
        let running = vitals.inFlight.current
        var next = UInt64.max
        for listener in listeners {
            if let (phase, stall) = listener.observe(running, at: now, isStarved: late == .starved, usage: readUsage), !muv_is_traced() {
                let mark = mark(of: stall, memory)
                report(phase, stall, mark.stack, listener, now)
            }
            next = min(next, listener.nextLook(after: now))
        }
        completeMarks()
        return next
    }

    private func takeEnded() -> [Ended] {
        ended.withLock { ended in
            defer { ended = [] }
            return ended
        }
    }

    private func tell(_ ended: Ended, _ standstill: UInt64?, _ now: UInt64, _ listeners: [StallListener]) {
        if let standstill, ended.dispatch.start + ended.wall >= standstill { return }
        for listener in listeners {
            guard let stall = listener.ended(ended.dispatch, wall: ended.wall, at: now, usage: readUsage) else {
                continue
            }
            let mark = marks.withLock { marks in marks.last { $0.start == ended.dispatch.start } }
            if mark == nil && muv_is_traced() { continue }
            if listener.isCounted, let cause = stall.cause {
                durations.withLock { $0[cause, default: DurationHistogram()].record(stall.duration) }
            }
            report(.ended, stall, mark?.stack ?? [], listener, now)
        }
    }

    private func report(
        _ phase: StallReport.Phase,
        _ stall: StallTracker.Stall,
        _ stack: [StackFrame],
        _ listener: StallListener,
        _ now: UInt64
    ) {
        if !listener.report(phase, stall, loop: vitals.name, stack: stack, at: now) {
            dropped.wrappingAdd(1, ordering: .relaxed)
        }
    }

    private func readUsage() -> ThreadUsage? { thread.withLock { $0?.usage }?.read() }

    /// The stack, which is looked at once in the life of a dispatch: that may end a call early which it waits in.
    private func mark(of stall: StallTracker.Stall, _ memory: UnsafeMutablePointer<muv_stack>) -> Mark {
        let start = stall.dispatch.start
        if let known = marks.withLock({ $0.last { $0.start == start } }) { return known }
        let sampled = MonotonicClock.read()
        let sample = thread.withLock { thread in thread.flatMap { StackSample(of: $0, into: memory) } }
        // The thread may have left that dispatch before it answered.
        let isIt = vitals.inFlight.current?.start == start
        let isQuick = SourceLocations.areQuick
        let mark = Mark(
            start: start,
            sampled: sampled,
            stack: isIt ? sample?.frames(withLocations: isQuick) ?? [] : [],
            cause: stall.cause,
            sample: isIt && !isQuick ? sample : nil
        )
        marks.withLock { marks in
            if marks.count == Self.mostMarks { marks.removeFirst() }
            marks.append(mark)
        }
        return mark
    }

    /// Where files and lines take long to find, a stall is reported first, and they are in the reports that follow.
    private func completeMarks() {
        for mark in marks.withLock({ $0 }) {
            guard let sample = mark.sample else { continue }
            let stack = sample.frames(withLocations: true)
            marks.withLock { marks in
                guard let index = marks.firstIndex(where: { $0.start == mark.start }) else { return }
                marks[index].stack = stack
                marks[index].sample = nil
            }
        }
    }
}
