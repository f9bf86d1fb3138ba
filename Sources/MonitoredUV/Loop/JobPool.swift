import Synchronization

/// Jobs that any of several loops may run: whichever of them is free takes the oldest, so that one that is busy for
/// long keeps nobody waiting. Any thread.
///
/// One lock, held for a few instructions. The timers of such jobs are here as well, for the same reason; they ring on one
/// more loop, which has other things to do than to run the jobs.
final class JobPool: Sendable {
    private struct State {
        var jobs = JobQueue()
        /// Those who wait in their poll, the one that went there last at the end.
        var parked: [AsyncSender] = []
    }

    private let state = Lock(State())
    private let waiting = Atomic<Int>(0)
    private let timers = Lock(Timers(now: MonotonicClock.read()))
    private let timer: AsyncSender

    /// `timer` is woken when the earliest timer is another one; its loop then sets its alarm.
    init(timer: AsyncSender) { self.timer = timer }

    /// The number of waiting jobs.
    var count: Int { waiting.load(ordering: .relaxed) }

    /// Queues a job, and wakes one of those who rest.
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

    /// Before a loop's poll: wakes it from now on; `false` if there is something to do right away.
    func park(_ loop: AsyncSender) -> Bool {
        state.withLock { state in
            if state.jobs.isEmpty { state.parked.append(loop) }
            return state.jobs.isEmpty
        }
    }

    /// After the poll, whatever ended it. If that was a job, and the loop has work of its own before it, another is
    /// woken instead.
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

    /// The loop with the timer then asks.
    func earliestChanged() { timer.send() }

    func resume(_ job: Job) { push(job) }
}
