/// The names of loops: no two that are open have the same, for that would give every series of their metrics twice.
enum LoopNames {
    private static let taken = Lock<Set<String>>([])

    /// One name, until it is released.
    final class Claim: Sendable {
        let text: String

        /// - Parameter wanted: If another loop has it, `#2` or so is put behind; `nil` stands for `loop-` and a number.
        init(_ wanted: String?) {
            text = taken.withLock { taken in
                let names =
                    wanted.map { wanted in (1...).lazy.map { $0 == 1 ? wanted : "\(wanted)#\($0)" } }
                    ?? (1...).lazy.map { "loop-\($0)" }
                let name = names.first { !taken.contains($0) }!
                taken.insert(name)
                return name
            }
        }

        deinit { taken.withLock { _ = $0.remove(text) } }
    }
}
