internal import CMonitoredUV

/// Takes the stacks of stuck loops' threads, of all of them at the same time, without waiting for any. Watching thread
/// only.
struct StackSampler {
    /// A thread that computes answers when it gets a processor; who waited for so long is not waited for any longer.
    private static let patience: UInt64 = 250_000_000

    private struct Capture {
        let watch: LoopWatch
        let id: StallID
        let thread: WatchedThread
        let stack: UnsafeMutablePointer<muv_stack>
        var capture: muv_capture
        let deadline: UInt64
        /// What waits for the stack.
        var tasks: [() -> Void]
    }

    private var captures: [Capture] = []
    /// Memory for the next one.
    private var spare: UnsafeMutablePointer<muv_stack>?

    var isIdle: Bool { captures.isEmpty }

    /// Takes the stack of a loop's thread, unless that was done before, and then runs `task`: at once or in a later
    /// ``step(at:)``, with or without one.
    mutating func sample(_ watch: LoopWatch, _ id: StallID, at now: UInt64, then task: @escaping () -> Void) {
        if watch.hasStack(of: id) { return task() }
        if let index = captures.firstIndex(where: { $0.watch === watch && $0.id == id }) {
            return captures[index].tasks.append(task)
        }
        guard let thread = watch.thread.withLock({ $0 }) else { return task() }
        let stack = spare ?? .allocate(capacity: 1)
        spare = nil
        captures.append(
            Capture(
                watch: watch,
                id: id,
                thread: thread,
                stack: stack,
                capture: thread.capture(into: stack, since: watch.usageBefore(of: thread)),
                deadline: now + Self.patience,
                tasks: [task]
            )
        )
        step(at: now)
    }

    /// Takes all of them further that are under way.
    mutating func step(at now: UInt64) { advance { _, capture in now >= capture.deadline } }

    /// What is to be known of this loop must be known now.
    mutating func finish(_ watch: LoopWatch) { advance { other, _ in other === watch } }

    private mutating func advance(isLast: (LoopWatch, Capture) -> Bool) {
        var ended: [Capture] = []
        captures = captures.compactMap { pending in
            var pending = pending
            // Who holds the lock keeps the thread from leaving.
            let state = pending.watch.thread.withLock { thread in
                let state = thread === pending.thread ? muv_capture_step(&pending.capture) : muv_capture_goes_on
                let goesOn = thread === pending.thread && !isLast(pending.watch, pending)
                return state == muv_capture_goes_on && !goesOn ? muv_capture_cancel(&pending.capture) : state
            }
            if state == muv_capture_goes_on { return pending }
            if state == muv_capture_succeeded { pending.watch.keep(pending.stack, of: pending.id) }
            ended.append(pending)
            return nil
        }
        for capture in ended {
            if spare == nil { spare = capture.stack } else { capture.stack.deallocate() }
            capture.tasks.forEach { $0() }
        }
    }
}
