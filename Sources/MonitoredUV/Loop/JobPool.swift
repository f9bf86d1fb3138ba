import Synchronization

/// Jobs that any of several loops may run: whichever loop is free takes the oldest, so that a loop that is busy for
/// long delays no job. Any thread.
///
/// One lock, held for a few instructions. The timers of such jobs are also here, behind a lock of their own, for the same
/// reason; they ring on another loop, which does not run the jobs.
final class JobPool: Sendable {
    private struct State {
        var jobs = JobQueue()
        /// The wake-ups of loops that wait in their poll; the loop that parked last is at the end.
        var parked: [AsyncSender] = []
    }

    private let state = Lock(State())
    private let waiting = Atomic<Int>(0)
    private let timers = Lock(Timers(now: MonotonicClock.read()))
    private let timer: AsyncSender

    /// Creates a pool that wakes `timer` whenever its earliest timer changes; the loop of `timer` then sets its alarm.
    init(timer: AsyncSender) { self.timer = timer }

    /// The number of waiting jobs.
    var count: Int { waiting.load(ordering: .relaxed) }

    /// Queues a job, and wakes one of the parked loops.
    func push(_ job: Job) {
        waiting.wrappingAdd(1, ordering: .relaxed)
        let sleeper = state.withLock { state in
            state.jobs.append(job)
            return state.parked.popLast()
        }
        sleeper?.send()
    }

    func take() -> Job? {
        let job = state.withLock { $0.jobs.removeFirst() }
        if job != nil { waiting.wrappingSubtract(1, ordering: .relaxed) }
        return job
    }

    /// Registers a loop to be woken, before its poll. Returns `false` if a job is already waiting.
    func park(_ loop: AsyncSender) -> Bool {
        state.withLock { state in
            if state.jobs.isEmpty { state.parked.append(loop) }
            return state.jobs.isEmpty
        }
    }

    /// Unregisters a loop after its poll, whatever ended it. If a job woke the loop, and the loop has its own work to
    /// do first, another loop is woken instead.
    func unpark(_ loop: AsyncSender, isBusy: Bool) {
        let other = state.withLock { state -> AsyncSender? in
            if let index = state.parked.lastIndex(where: { $0 === loop }) {
                state.parked.remove(at: index)
                return nil
            }
            return isBusy && !state.jobs.isEmpty ? state.parked.popLast() : nil
        }
        other?.send()
    }
}

extension JobPool: TimerHost {
    /// The number of the process's pool.
    static let number = UInt32.max

    var ticketNumber: UInt32 { Self.number }

    func withTimers<Result>(_ body: (inout Timers) -> Result) -> Result { timers.withLock(body) }

    /// Wakes the loop with the timer, which then asks for the earliest time.
    func earliestChanged() { timer.send() }

    func resume(_ job: Job) { push(job) }
}
