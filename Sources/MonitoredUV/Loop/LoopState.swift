import CLibUV

/// The object that programs know a loop by.
struct PublicLoop {
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
    /// In such a run: something was dispatched, or a handle or a request has ended.
    var hasDispatched = false
    /// The alarm rang in this iteration, and no timer was due.
    var rangForNothing = false
    /// A timer's callback runs: libuv takes no other turn before all timers that are due have run.
    var isInTimer = false
    /// The program's code may have run since libuv last read the clock, by which it takes the time until its timers.
    var isTimeStale = false
    /// The loop in whose callback this one runs.
    var outer: LoopCore?
}

/// The library's own reasons for libuv to continue its run or not to wait in its poll.
struct LoopActivity {
    /// The library's idle handle is active, and referenced, as long as a queue holds something.
    var isSpinning = false
    /// The number of the library's own handles that are active and referenced.
    var internalActiveCount = 0
    /// The number of things on this loop that wait for other threads.
    var holds = 0
    /// Nothing was dispatched since the loop went to rest, or since a run of one iteration began: the next dispatch has
    /// something to do before.
    var isIdle = false
    /// A queue holds something, or others may have filled the pool: a drain has something to look at.
    var hasDrain = false
}

/// The end of a loop with whatever is open on it.
struct LoopShutdown {
    var isUnderWay = false
    /// The loop is being freed without a close: nothing calls the program any more.
    var isTearingDown = false
    /// The instant, and the iterations since, from which it has waited for nothing but posted work.
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
    /// The pool of jobs that any of several loops may run.
    var pool: JobPool?
    /// The loop waits in its poll, and others may wake it for jobs of the pool.
    var isParked = false

    @inline(__always)
    var pooledCount: Int { pool == nil ? 0 : pool!.count }
}

/// libuv's one timer, which rings for the earliest of the loop's timers.
struct LoopAlarm {
    /// A pool whose timers also ring here.
    var pool: JobPool?
    var isActive = false
    /// It is set for what was due already.
    var isBehind = false
}

/// The tasks that sleep on a loop.
struct LoopSleeping {
    /// Registered while tasks may look for their sleeps here.
    var number: SleepDirectory.Registration?
    /// While a task is woken that slept: since when it could go on; else 0.
    var wakingSince: UInt64 = 0
}

/// The state shared by the streams of a loop.
struct LoopStreams {
    /// The buffer for all reads, one after the other; allocated with the first stream that reads.
    var buffer = uv_buf_t(base: nil, len: 0)
    static let bufferSize = 256 * 1024
    /// The number of bytes in writes that libuv has not completed.
    var queuedBytes = 0

    mutating func allocateBuffer() {
        guard buffer.base == nil else { return }
        // On a page boundary: some processors copy twice as fast to there as to where `malloc` puts large blocks.
        let memory = UnsafeMutableRawPointer.allocate(byteCount: Self.bufferSize, alignment: 4096)
        buffer = uv_buf_t(base: memory.bindMemory(to: CChar.self, capacity: Self.bufferSize), len: Self.bufferSize)
    }

    mutating func freeBuffer() {
        buffer.base?.deallocate()
        buffer = uv_buf_t(base: nil, len: 0)
    }
}

/// Whether a loop runs on the main thread, whose queue it runs then.
struct MainThreadRole {
    var pump: MainQueuePump?
    /// The thread that was last found to be the main one, or not to be.
    var checkedThread: UInt = 0
    var isTaken = false
}
