/// Jobs that any of several loops may run: whichever of them is free takes the oldest, so that one that is busy for long
/// keeps nobody waiting. Any thread.
///
/// One lock, held for a few instructions.
final class JobPool: Sendable {
    private struct State {
        var jobs = JobQueue()
        /// Those who wait in their poll, the one that went there last at the end.
        var resting: [AsyncSender] = []
    }

    private let state = Lock(State())

    var count: Int { state.withLock { $0.jobs.count } }

    /// Queues a job, and wakes one of those who rest.
    func push(_ job: Job) {
        let sleeper = state.withLock { state in
            state.jobs.append(job)
            return state.resting.popLast()
        }
        sleeper?.send()
    }

    func take() -> Job? { state.withLock { $0.jobs.removeFirst() } }

    /// Before a loop's poll: wakes it from now on; `false` if there is something to do right away.
    func rest(_ loop: AsyncSender) -> Bool {
        state.withLock { state in
            if state.jobs.isEmpty { state.resting.append(loop) }
            return state.jobs.isEmpty
        }
    }

    /// After the poll, whatever ended it.
    func rise(_ loop: AsyncSender) {
        state.withLock { state in
            if let index = state.resting.lastIndex(where: { $0 === loop }) { state.resting.remove(at: index) }
        }
    }
}
