/// The names of loops. No two open loops share a name, which would duplicate every series of their metrics.
enum LoopNames {
    private static let taken = Lock<Set<String>>([])

    /// A name, claimed until it is released.
    final class Claim: Sendable {
        let text: String

        /// - Parameter wanted: The desired name; if another loop has it, a suffix such as `#2` is added. `nil` stands
        ///   for `loop-` and a number.
        init(_ wanted: String?) {
            let wanted = wanted?.printable
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
