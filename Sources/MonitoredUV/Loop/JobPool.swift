import Synchronization

/// Jobs that any of several loops may run: whichever of them is free takes the oldest, so that one that is busy for
/// long keeps nobody waiting. Any thread.
///
/// One lock, held for a few instructions. The sleeps of such jobs are here as well, for the same reason; the timer of
/// one more loop, which has other things to do than to run them, ends them.
final class JobPool: Sendable {
    private struct State {
        var jobs = JobQueue()
        var sleeps = SleepQueue()
        /// Those who wait in their poll, the one that went there last at the end.
        var resting: [AsyncSender] = []
    }

    private let state = Lock(State())
    private let waiting = Atomic<Int>(0)
    private let timer: AsyncSender

    /// `timer` is woken when the earliest sleep is another one; its loop then arms its timer, and calls
    /// ``takeSleep(dueAt:)``.
    init(timer: AsyncSender) { self.timer = timer }

    /// How many jobs wait.
    var count: Int { waiting.load(ordering: .relaxed) }

    /// Queues a job, and wakes one of those who rest.
    func push(_ job: Job) {
        waiting.wrappingAdd(1, ordering: .relaxed)
        let sleeper = state.withLock { state in
            state.jobs.append(job)
            return state.resting.popLast()
        }
        sleeper?.send()
    }

    func take() -> Job? {
        let job = state.withLock { $0.jobs.removeFirst() }
        if job != nil { waiting.wrappingSubtract(1, ordering: .relaxed) }
        return job
    }

    /// Before a loop's poll: wakes it from now on; `false` if there is something to do right away.
    func rest(_ loop: AsyncSender) -> Bool {
        state.withLock { state in
            if state.jobs.isEmpty { state.resting.append(loop) }
            return state.jobs.isEmpty
        }
    }

    /// After the poll, whatever ended it. If that was a job, and the loop has work of its own before it, another is
    /// woken instead.
    func rise(_ loop: AsyncSender, isBusy: Bool) {
        let other = state.withLock { state -> AsyncSender? in
            if let index = state.resting.lastIndex(where: { $0 === loop }) {
                state.resting.remove(at: index)
                return nil
            }
            return isBusy && !state.jobs.isEmpty ? state.resting.popLast() : nil
        }
        other?.send()
    }

    // MARK: Sleeps

    /// In a ticket: the sleep is in the process's pool.
    static let number = UInt32.max

    var earliestSleep: UInt64? { state.withLock { $0.sleeps.earliest } }

    /// Runs `job` at `due`. The task that is running sleeps until then, if the job is its waking.
    func sleep(_ job: Job, due: UInt64) {
        let task = JobNames.isWaking(job) ? Job.current : nil
        let sleeper = SleepQueue.Sleeper(job: job, task: task?.address ?? 0)
        let isEarliest = state.withLock { state in
            let slot = state.sleeps.insert(sleeper, due: due)
            // Marked before it can end.
            task?.mark(SleepTicket(loop: Self.number, slot: slot))
            return state.sleeps.earliest == due
        }
        if isEarliest { timer.send() }
    }

    /// The `task` goes on before its time: what was to wake it cleans up.
    func endSleep(_ slot: UInt32, of task: UInt) {
        guard let job = state.withLock({ $0.sleeps.remove(slot, ifOf: task) }) else { return }
        job.stamp(MonotonicClock.read(), .any)
        push(job)
    }

    /// Takes out one that is due, for the caller to wake.
    func takeSleep(dueAt now: UInt64) -> (sleeper: SleepQueue.Sleeper, due: UInt64)? {
        state.withLock { $0.sleeps.removeFirst(dueAt: now) }
    }
}
