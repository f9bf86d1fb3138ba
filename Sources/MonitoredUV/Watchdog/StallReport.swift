/// The watchdog's report of a dispatch past its limit, or of an iteration made of many dispatches that keeps the loop
/// from its next poll for as long.
public struct StallReport: Sendable {
    /// When the report was made.
    public enum Phase: Sendable, Hashable {
        /// The dispatch has just passed the limit, and is running.
        case began
        /// It is still running.
        case continues
        /// It has ended.
        case ended
    }

    /// When it was made.
    public let phase: Phase
    /// The loop that the dispatch holds up.
    public let loopName: String
    /// As in ``IOLoopMonitorState/callbackPrettyName``; of an iteration, the name whose dispatches took the largest share of
    /// it, of those that the flight recorder holds.
    public let callbackName: String
    /// The kind of the dispatch; of an iteration, that of the first dispatch of that name.
    public let kind: CallbackKind
    /// The time for which the dispatch has been running; once it has ended, its exact duration.
    public let duration: Duration
    /// For how long dispatches may run.
    public let limit: Duration
    /// The cause: what the thread did from when the watchdog first saw the dispatch; `nil` where the system does not tell.
    public let cause: StallCause?
    /// The call that the thread waited in when the report began: `getaddrinfo`, `pthread_mutex_lock`, `fsync`. `nil` where
    /// it computed, or could not be looked at.
    public private(set) var call: String?
    /// The stack of the loop's thread when the report began: innermost function first, then those it was called from, then
    /// async callers. Empty where the thread could not be looked at. The caller of a function that was built without unwind
    /// tables and frame pointers is missing.
    public private(set) var stack: [StackFrame]
    /// The number of stalls before this one that were not reported, because there were too many.
    public let suppressed: Int
    /// Which dispatch it was.
    let start: UInt64
    /// The number of dispatches in the iteration so far, if it is too long and none of them is; else `nil`.
    public let dispatches: Int?

    /// A stall's report without its stack.
    init(
        _ phase: Phase,
        _ sighting: StallTracker.Sighting,
        of loop: CallbackName,
        limit: UInt64,
        suppressed: Int = 0
    ) {
        self.phase = phase
        loopName = loop.text
        callbackName = sighting.dispatch.name.text
        kind = sighting.dispatch.kind
        duration = Duration(nanoseconds: sighting.duration)
        self.limit = Duration(nanoseconds: limit)
        cause = sighting.cause
        call = nil
        stack = []
        self.suppressed = suppressed
        start = sighting.dispatch.start
        dispatches = sighting.dispatches
    }

    var id: StallID { StallID(start: start, isIteration: dispatches != nil) }

    func with(_ stack: StackSample.Stack) -> StallReport {
        var result = self
        result.stack = stack.frames
        result.call = stack.call
        return result
    }

    /// The innermost function of the stack that is the program's own.
    public var function: String? { stack.first { $0.isOwn }?.function }
}

extension StallReport: CustomStringConvertible {
    /// One line, and one more for each function of the stack.
    public var description: String { ([summary] + stack.map { "    \($0)" }).joined(separator: "\n") }

    /// One line.
    var summary: String {
        let verb =
            switch phase {
            case .began, .continues: "has been stuck"
            case .ended: "was stuck"
            }
        let reason =
            switch cause {
            case .cpu: ", on CPU"
            case .wait: call.map { ", blocked in \($0)" } ?? ", blocked in a call"
            case .descheduled: ", preempted"
            case nil: ""
            }
        let more = suppressed == 0 ? "" : "; \(suppressed) earlier stall\(suppressed == 1 ? "" : "s") not reported"
        let place = dispatches.map { "\($0) dispatches of one iteration, the largest share in " } ?? ""
        return "\(loopName) \(verb) for \(duration.brief) in \(place)\(callbackName) (\(kind))"
            + (function.map { ": \($0)" } ?? "") + reason + more
    }
}
