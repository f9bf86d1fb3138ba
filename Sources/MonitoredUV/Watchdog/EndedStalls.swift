/// Dispatches and iterations past the shortest limit, left by the loop's thread when they ended, for the watchdog
/// thread.
final class EndedStalls: Sendable {
    enum Entry: Sendable {
        case dispatch(InFlight.Dispatch, wall: UInt64)
        case iteration(IterationSummary)

        var start: UInt64 {
            switch self {
            case .dispatch(let dispatch, _): dispatch.start
            case .iteration(let summary): summary.start
            }
        }

        var end: UInt64 {
            switch self {
            case .dispatch(let dispatch, let wall): dispatch.start + wall
            case .iteration(let summary): summary.end
            }
        }
    }

    private let entries = Lock<[Entry]>([])
    private static let capacity = 1024

    /// Returns `false` if there are already too many.
    func add(_ entry: Entry) -> Bool {
        entries.withLock { entries in
            if entries.count == Self.capacity { return false }
            entries.append(entry)
            return true
        }
    }

    func takeAll() -> [Entry] {
        entries.withLock { entries in
            defer { entries = [] }
            return entries
        }
    }
}
