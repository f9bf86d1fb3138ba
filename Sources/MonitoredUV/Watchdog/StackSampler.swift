import CMonitoredUV

/// The sampler of the stacks of stuck loops' threads, which captures all of them at the same time, without waiting for
/// any. Watchdog thread only.
struct StackSampler {
    /// The longest wait for a thread that is on CPU, which answers when it is scheduled.
    private static let patience: UInt64 = 250_000_000

    private struct Capture {
        let watchdog: LoopWatchdog
        let dispatch: StallID
        let thread: SampledThread
        let stack: UnsafeMutablePointer<muv_stack>
        var capture: muv_capture
        let deadline: UInt64
        /// The receivers of the stack, if there is one.
        var keep: [(StackSample) -> Void]
        /// The reports that wait for the stack.
        var tasks: [() -> Void]
    }

    private var captures: [Capture] = []
    /// Memory for the next capture.
    private var spare: UnsafeMutablePointer<muv_stack>?
    /// At most so many samples of profiles are taken, of all loops together.
    private var profileLimit = ReportLimit(100, per: 1_000_000_000)

    var isIdle: Bool { captures.isEmpty }

    /// Captures the stack of a loop's thread, unless that was done before, and then runs `task`: at once or in a later
    /// ``step(at:)``, whether or not there is a stack.
    mutating func sample(_ watchdog: LoopWatchdog, _ stall: Stall, at now: UInt64, then task: @escaping () -> Void) {
        if stall.hasSample { return task() }
        sample(watchdog, stall.id, at: now, keep: { stall.keep($0) }, then: task)
    }

    /// Captures the stack of a loop's thread for a profile. Returns `false` if that happens too often, or another capture
    /// of it is under way.
    mutating func profile(
        _ watchdog: LoopWatchdog,
        _ dispatch: InFlight.Dispatch,
        at now: UInt64,
        keep: @escaping (StackSample) -> Void
    ) -> Bool {
        if captures.contains(where: { $0.watchdog === watchdog }) || profileLimit.admit(at: now) == nil { return false }
        sample(watchdog, StallID(start: dispatch.start, isIteration: false), at: now, keep: keep, then: {})
        return true
    }

    private mutating func sample(
        _ watchdog: LoopWatchdog,
        _ dispatch: StallID,
        at now: UInt64,
        keep: @escaping (StackSample) -> Void,
        then task: @escaping () -> Void
    ) {
        if let index = captures.firstIndex(where: { $0.watchdog === watchdog && $0.dispatch == dispatch }) {
            captures[index].keep.append(keep)
            return captures[index].tasks.append(task)
        }
        guard let thread = watchdog.thread.current else { return task() }
        let stack = spare ?? .allocate(capacity: 1)
        spare = nil
        captures.append(
            Capture(
                watchdog: watchdog,
                dispatch: dispatch,
                thread: thread,
                stack: stack,
                capture: watchdog.thread.capture(thread, into: stack),
                deadline: now + Self.patience,
                keep: [keep],
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
            if state == muv_capture_succeeded && pending.watchdog.isStuck(in: pending.dispatch) {
                let sample = StackSample(pending.stack, depth: thread.depth)
                pending.keep.forEach { $0(sample) }
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
