import Foundation
import MonitoredUV

/// A stall as the server keeps it and sends it.
struct StallRecord: Sendable {
    /// When it began, in nanoseconds of the monotonic clock.
    let start: UInt64
    /// Unique in the process.
    let id: String
    let loop: String
    let name: String
    let kind: String
    let phase: String
    /// When it began, in milliseconds since 1970.
    let began: Double
    /// How long it has lasted, or did, in nanoseconds.
    private(set) var duration: Int64
    /// The limit that it went past, in nanoseconds.
    let limit: Int64
    let cause: StallCause?
    /// The call that blocked, if one did.
    let call: String?
    /// The number of dispatches of an iteration.
    let dispatches: Int?
    /// Innermost first.
    let stack: [FrameRecord]

}

extension StallRecord: Encodable {
    private enum CodingKeys: CodingKey {
        case id, loop, name, kind, phase, began, duration, limit, cause, call, dispatches, stack
    }

    /// The stall as it is at this instant: if it goes on, it is longer than when it was reported last.
    func continued(at now: UInt64) -> StallRecord {
        var result = self
        if phase != "ended" { result.duration = max(duration, Int64(now) - Int64(start)) }
        return result
    }

    init(_ report: StallReport) {
        start = report.began
        id = "\(report.loopName)-\(report.began)\(report.dispatches == nil ? "" : "i")"
        loop = report.loopName
        name = report.callbackName
        kind = "\(report.kind)"
        phase =
            switch report.phase {
            case .began: "began"
            case .continues: "continues"
            case .ended: "ended"
            }
        duration = report.duration.nanoseconds
        began = Date.now.timeIntervalSince1970 * 1000 - Double(Monitoring.now - report.began) / 1e6
        limit = report.limit.nanoseconds
        cause = report.cause
        call = report.call
        dispatches = report.dispatches
        stack = report.stack.map(FrameRecord.init)
    }
}

/// A function of a stack.
struct FrameRecord: Sendable, Encodable {
    let function: String
    let file: String?
    let line: Int?
    /// `call`, or `async` for a caller that waits.
    let role: String
    /// Whether it is the program's own.
    let own: Bool

    /// The function and its place in the source.
    struct Place: Hashable {
        let function: String
        let file: String?
        let line: Int?
    }

    var place: Place { Place(function: function, file: file, line: line) }

}

extension FrameRecord {
    init(_ frame: StackFrame) {
        function = frame.function
        file = frame.file
        line = frame.line
        role = frame.role == .asyncCaller ? "async" : "call"
        own = frame.isOwn
    }
}

extension Duration {
    var nanoseconds: Int64 { Int64(self / .nanoseconds(1)) }
}
