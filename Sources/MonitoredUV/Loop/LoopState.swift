/// The object that programs know a loop by.
struct LoopFace {
    let object: Unmanaged<AnyObject>
    let serial: UnownedSerialExecutor
    let task: UnownedTaskExecutor

    init(_ loop: some SerialExecutor & TaskExecutor) {
        object = Unmanaged.passUnretained(loop)
        serial = UnownedSerialExecutor(ordinary: loop)
        task = UnownedTaskExecutor(ordinary: loop)
    }
}

/// The run that is going on, or was the last.
struct CurrentRun {
    /// Ends with its first iteration, for which it may wait.
    var isOnce = false
    var isStopping = false
    /// The loop is in such a run or in a shutdown.
    var isLast = false
    /// In such a run: something ran before the poll, so the poll must not block.
    var ranBeforePoll = false
    /// A timer's callback runs: libuv takes no other turn before all timers that are due have run.
    var isInTimer = false
}

/// The library's own reasons for libuv to continue its run or not to wait in its poll.
struct LoopActivity {
    /// The library's idle handle is active, and referenced, as long as a queue holds something.
    var isSpinning = false
    /// The number of the library's own handles that are active and referenced.
    var own = 0
    /// The number of things on this loop that wait for other threads.
    var holds = 0
}

/// The end of a loop with whatever is open on it.
struct LoopShutdown {
    var isUnderWay = false
    /// Since when, and for how many iterations, it has waited for nothing but posted work.
    private var lastWork: (since: UInt64, turns: Int)?

    /// There is still something to end.
    mutating func isBusy() { lastWork = nil }

    /// Nothing is left but work that makes more work. Returns whether that has gone on for too long.
    mutating func isEndless(at now: UInt64) -> Bool {
        let (since, turns) = lastWork ?? (now, 0)
        lastWork = (since, turns + 1)
        return turns > 10_000 && now - since > 2_000_000_000
    }
}

/// The jobs that wait on a loop, and by what they are named and limited.
struct LoopJobs {
    var queue = JobQueue()
    var names = JobNames()
    var budget = JobBudget()
}

/// Whether a loop runs on the main thread, whose queue it runs then.
struct MainThreadRole {
    var pump: MainQueuePump?
    /// The thread that was last found to be the main one, or not to be.
    var checkedThread: UInt = 0
    var isTaken = false
}

/// Counts things that must be freed.
struct Balance {
    var created = 0
    var freed = 0
    var open: Int { created - freed }
}
