/// Names for loops that were given none: numbers that are used again, so that there are never more names than loops.
enum LoopNames {
    private static let taken = Lock<Set<Int>>([])

    /// One number, as long as this lives.
    final class Number: Sendable {
        private let number: Int
        var text: String { "loop-\(number)" }

        init() {
            number = taken.withLock { taken in
                let number = (1...).first { !taken.contains($0) }!
                taken.insert(number)
                return number
            }
        }

        deinit { taken.withLock { _ = $0.remove(number) } }
    }
}
