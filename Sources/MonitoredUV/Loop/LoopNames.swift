import Synchronization

/// Names for loops that were given none.
enum LoopNames {
    private static let count = Atomic<Int>(0)
    static func next() -> String { "loop-\(count.wrappingAdd(1, ordering: .relaxed).newValue)" }
}
