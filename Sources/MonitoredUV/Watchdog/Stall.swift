/// The identity of a stall among all stalls of a loop: an iteration may begin together with its first dispatch.
struct StallID: Hashable, Sendable {
    let start: UInt64
    let isIteration: Bool
}

/// A dispatch or an iteration that was reported as too long, and the stack that was captured for it. Any thread.
final class Stall: Sendable {
    let id: StallID
    /// The cause that was first reported.
    let cause: StallCause?
    private let state: Lock<(sample: StackSample?, stack: StackSample.Stack?)>

    init(_ id: StallID, _ cause: StallCause?, stack: StackSample.Stack? = nil) {
        self.id = id
        self.cause = cause
        state = Lock((nil, stack))
    }

    var hasSample: Bool { state.withLock { $0.sample != nil } }

    func keep(_ sample: StackSample) { state.withLock { $0.sample = sample } }

    /// The stack; empty if none could be captured. The first access looks up functions, files, and lines, which takes
    /// milliseconds. Not on the watchdog thread.
    var stack: StackSample.Stack {
        let (sample, known) = state.withLock { $0 }
        if let known { return known }
        guard let sample else { return StackSample.Stack() }
        let stack = sample.stack
        state.withLock { $0.stack = stack }
        return stack
    }
}
