import CMonitoredUV

/// The sampler of the stacks of stuck loops' threads, which captures all of them at the same time, without waiting for
/// any. Watchdog thread only.
struct StackSampler {
    /// The longest wait for a thread that is on CPU, which answers when it is scheduled.
    private static let patience: UInt64 = 250_000_000

    private struct Capture {
        let watchdog: LoopWatchdog
        let stall: Stall
        let thread: SampledThread
        let stack: UnsafeMutablePointer<muv_stack>
        var capture: muv_capture
        let deadline: UInt64
        /// The reports that wait for the stack.
        var tasks: [() -> Void]
    }

    private var captures: [Capture] = []
    /// Memory for the next capture.
    private var spare: UnsafeMutablePointer<muv_stack>?

    var isIdle: Bool { captures.isEmpty }

    /// Captures the stack of a loop's thread, unless that was done before, and then runs `task`: at once or in a later
    /// ``step(at:)``, whether or not there is a stack.
    mutating func sample(_ watchdog: LoopWatchdog, _ stall: Stall, at now: UInt64, then task: @escaping () -> Void) {
        if stall.hasSample { return task() }
        if let index = captures.firstIndex(where: { $0.stall === stall }) {
            return captures[index].tasks.append(task)
        }
        guard let thread = watchdog.thread.current else { return task() }
        let stack = spare ?? .allocate(capacity: 1)
        spare = nil
        captures.append(
            Capture(
                watchdog: watchdog,
                stall: stall,
                thread: thread,
                stack: stack,
                capture: watchdog.thread.capture(thread, into: stack),
                deadline: now + Self.patience,
                tasks: [task]
            )
        )
        step(at: now)
    }

    /// Continues all captures that are under way.
    mutating func step(at now: UInt64) { advance { now >= $0.deadline } }

    /// Ends the capture for a loop whose reports cannot wait any longer.
    mutating func finish(_ watchdog: LoopWatchdog) { advance { $0.watchdog === watchdog } }

    private mutating func advance(isLast: (Capture) -> Bool) {
        var ended: [Capture] = []
        captures = captures.compactMap { pending in
            var pending = pending
            let thread = pending.watchdog.thread
            let state = thread.step(&pending.capture, of: pending.thread, isLast: isLast(pending))
            if state == muv_capture_goes_on { return pending }
            if state == muv_capture_succeeded && pending.watchdog.isStuck(in: pending.stall.id) {
                pending.stall.keep(StackSample(pending.stack, depth: thread.depth))
            }
            ended.append(pending)
            return nil
        }
        for capture in ended {
            if spare == nil { spare = capture.stack } else { capture.stack.deallocate() }
            capture.tasks.forEach { $0() }
        }
    }
}
