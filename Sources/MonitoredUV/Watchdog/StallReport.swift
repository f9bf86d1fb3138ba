/// The watchdog's report of a dispatch past its limit, or of an iteration made of many dispatches that keeps the loop
/// from its next poll for as long.
public struct StallReport: Sendable {
    /// The stage of a stall at which a report is made.
    public enum Phase: Sendable, Hashable {
        /// The dispatch has just passed the limit, and is running.
        case began
        /// It is still running.
        case continues
        /// It has ended.
        case ended
    }

    /// The stage at which this report was made.
    public let phase: Phase
    /// The loop that the dispatch holds up.
    public let loopName: String
    /// The name of the dispatch, as in ``IOLoopMonitorState/callbackPrettyName``; for an iteration, the name whose
    /// dispatches took the largest share of it, among those that the flight recorder holds.
    public private(set) var callbackName: String
    /// The kind of the dispatch; for an iteration, the kind of the first dispatch of that name.
    public let kind: CallbackKind
    /// The time for which the dispatch has been running; once it has ended, its exact duration.
    public let duration: Duration
    /// The duration for which dispatches may run.
    public let limit: Duration
    /// The cause, determined by what the thread did since the watchdog first saw the dispatch; `nil` where the system
    /// does not provide it.
    public let cause: StallCause?
    /// The call that the thread was blocked in when the stall was first reported: `getaddrinfo`, `pthread_mutex_lock`,
    /// `fsync`. `nil` if the thread was on CPU or could not be examined.
    public private(set) var call: String?
    /// The stack of the loop's thread when the stall was first reported: innermost function first, then its callers,
    /// then async callers. Empty if the thread could not be examined. The caller of a function that was built without
    /// unwind tables and frame pointers is missing.
    public private(set) var stack: [StackFrame]
    /// The number of stalls before this one that were not reported, because there were too many.
    public let suppressed: Int
    /// The start of the dispatch, which identifies it.
    let start: UInt64
    /// The number of dispatches in the iteration so far, if it is too long and none of them is; otherwise `nil`.
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
        // An iteration of a loop that this library does not run is named after the function that held it up.
        if let function = result.function, callbackName == CallbackName.iteration.text {
            result.callbackName = function
        }
        return result
    }

    /// The innermost function of the stack that is the program's own.
    public var function: String? { stack.first { $0.isOwn }?.function }
}

extension StallReport: CustomStringConvertible {
    /// One line, followed by one for each function of the stack.
    public var description: String { ([summary] + stack.map { "    \($0)" }).joined(separator: "\n") }

    /// The report in one line.
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
            + (function.flatMap { $0 == callbackName ? nil : ": \($0)" } ?? "") + reason + more
    }
}
