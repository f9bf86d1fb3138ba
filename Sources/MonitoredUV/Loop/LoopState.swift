import CLibUV

/// The public object of a loop.
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

/// The state of the current run, or of the last one.
struct CurrentRun {
    /// Whether the run ends after its first iteration, which may wait.
    var isOnce = false
    var isStopping = false
    /// Whether the loop is in a run of one iteration or in a shutdown.
    var isLast = false
    /// In a run of one iteration: whether something ran before the poll, which then must not block.
    var ranBeforePoll = false
    /// In a run of one iteration: whether something was dispatched, or a handle or a request has ended.
    var hasDispatched = false
    /// Whether the alarm rang in this iteration although no timer was due.
    var rangForNothing = false
    /// Whether a timer's callback is running. libuv does nothing else until all due timers have run.
    var isInTimer = false
    /// Whether the program's code may have run since libuv last read the clock, from which it computes the time until
    /// its timers.
    var isTimeStale = false
    /// The loop in whose callback this one runs.
    var outer: LoopCore?
}

/// The library's own reasons for keeping libuv's run alive or its poll from waiting.
struct LoopActivity {
    /// Whether the library's idle handle is active and referenced, which it is as long as a queue holds something.
    var isSpinning = false
    /// The number of the library's own handles that are active and referenced.
    var internalActiveCount = 0
    /// The number of things on this loop that wait for other threads.
    var holds = 0
    /// Whether nothing was dispatched since the loop parked, or since a run of one iteration began: the next dispatch
    /// must first end this state.
    var isIdle = false
    /// Whether a drain has something to check: a queue holds something, or others may have filled the pool.
    var hasDrain = false
}

/// The shutdown of a loop with everything open on it.
struct LoopShutdown {
    var isUnderWay = false
    /// Whether the loop is being freed without a close: the program is no longer called.
    var isTearingDown = false
    /// The instant since which the loop has waited only for posted work, and the number of iterations since.
    private var lastWork: (since: UInt64, turns: Int)?

    /// Records that something is still left to end.
    mutating func isBusy() { lastWork = nil }

    /// Records that only work that creates more work is left. Returns whether that has lasted too long.
    mutating func isEndless(at now: UInt64) -> Bool {
        let (since, turns) = lastWork ?? (now, 0)
        lastWork = (since, turns + 1)
        return turns > 10_000 && now - since > 2_000_000_000
    }
}

/// The jobs that wait on a loop, with the state that names and limits them.
struct LoopJobs {
    var queue = JobQueue()
    var names = JobNames()
    var budget = JobBudget()
    /// The pool of jobs that any of several loops may run.
    var pool: JobPool?
    /// Whether the loop waits in its poll, and others may wake it for jobs of the pool.
    var isParked = false

    @inline(__always)
    var pooledCount: Int { pool == nil ? 0 : pool!.count }
}

/// libuv's one timer, which rings for the earliest of the loop's timers.
struct LoopAlarm {
    /// A pool whose timers also ring here.
    var pool: JobPool?
    var isActive = false
    /// Whether it is set for something that was already due.
    var isBehind = false
}

/// The tasks that sleep on a loop.
struct LoopSleeping {
    /// The registration under which tasks find their sleeps here.
    var number: SleepDirectory.Registration?
    /// While a sleeping task is being woken: the instant since which it has been ready; otherwise 0.
    var wakingSince: UInt64 = 0
}

/// The state shared by the streams of a loop.
struct LoopStreams {
    /// The buffer that all reads share, one at a time; allocated with the first stream that reads.
    var buffer = uv_buf_t(base: nil, len: 0)
    static let bufferSize = 256 * 1024
    /// The number of bytes in writes that libuv has not completed.
    var queuedBytes = 0

    mutating func allocateBuffer() {
        guard buffer.base == nil else { return }
        // Page-aligned: some processors copy there twice as fast as to where `malloc` puts large blocks.
        let memory = UnsafeMutableRawPointer.allocate(byteCount: Self.bufferSize, alignment: 4096)
        buffer = uv_buf_t(base: memory.bindMemory(to: CChar.self, capacity: Self.bufferSize), len: Self.bufferSize)
    }

    mutating func freeBuffer() {
        buffer.base?.deallocate()
        buffer = uv_buf_t(base: nil, len: 0)
    }
}

/// The state of a loop on the main thread, whose queue it then runs.
struct MainThreadRole {
    var pump: MainQueuePump?
    /// The thread for which it was last determined whether it is the main thread.
    var checkedThread: UInt = 0
    var isTaken = false
}
