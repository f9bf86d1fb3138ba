import CMonitoredUV
import MonitoredUVPlatform
import Synchronization

/// The thread that is inside a run of a loop, as other threads see it. Any thread.
final class RunThread: Sendable {
    private let thread = Lock<SampledThread?>(nil)
    private let nesting = Atomic<Int>(0)
    /// The last two readings of the thread's usage.
    private let usages = Lock<(thread: SampledThread?, before: ThreadUsage?, last: ThreadUsage?)>((nil, nil, nil))

    /// The number of other loops on the thread in whose callbacks this one runs.
    var depth: Int {
        get { nesting.load(ordering: .relaxed) }
        set { nesting.store(newValue, ordering: .relaxed) }
    }

    /// The thread that is inside a run; `nil` between runs.
    var current: SampledThread? {
        get { thread.withLock { $0 } }
        set { thread.withLock { $0 = newValue } }
    }

    /// Runs `body` while the thread cannot leave the run.
    func withCurrent<Result>(_ body: (SampledThread?) -> Result) -> Result { thread.withLock { body($0) } }

    /// Returns the CPU time of the thread so far; `nil` where that is not known.
    func readUsage() -> ThreadUsage? {
        guard let thread = current else { return nil }
        let usage = withExtendedLifetime(thread) { thread.usage.read() }  // its files are the thread's
        usages.withLock { usages in
            if usages.thread !== thread { usages = (thread, nil, nil) }
            if let usage, usage.running != usages.last?.running { usages = (thread, usages.last, usage) }
        }
        return usage
    }

    /// Forgets the readings, because the loop is closed.
    func forget() { usages.withLock { $0 = (nil, nil, nil) } }

    /// Begins a capture of the stack of a thread that was the current one, to be continued step by step.
    func capture(_ thread: SampledThread, into stack: UnsafeMutablePointer<muv_stack>) -> muv_capture {
        let before = usages.withLock { $0.thread === thread ? $0.before : nil }
        return thread.capture(into: stack, since: before)
    }

    /// Continues a capture, or cancels it if the thread has left the run or `isLast` is `true`.
    func step(_ capture: inout muv_capture, of watched: SampledThread, isLast: Bool) -> muv_capture_state {
        withCurrent { current in
            if current !== watched { return muv_capture_cancel(&capture) }
            let state = muv_capture_step(&capture)
            return state == muv_capture_goes_on && isLast ? muv_capture_cancel(&capture) : state
        }
    }

    /// Captures the thread's stack, if it stays in one dispatch in the meantime. Waits for at most a quarter of a
    /// second. Not on the thread itself.
    func sample(in inFlight: borrowing InFlight) -> StackSample? {
        guard let dispatch = inFlight.current, let thread = current, !thread.isThisThread else { return nil }
        let stack = UnsafeMutablePointer<muv_stack>.allocate(capacity: 1)
        defer { stack.deallocate() }
        var capture = capture(thread, into: stack)
        var state = muv_capture_goes_on
        for step in 0...2500 where state == muv_capture_goes_on {
            if step > 0 { usleep(100) }
            state = self.step(&capture, of: thread, isLast: step == 2500)
        }
        guard state == muv_capture_succeeded, inFlight.current?.start == dispatch.start else { return nil }
        return StackSample(stack, depth: depth)
    }
}
