/// The distribution of a server's clients to the loops of a group, in turn. A loop that falls behind on its clients is
/// skipped as long as another one keeps up. Any thread.
final class LoopRotation: Sendable {
    /// A loop with this many clients on their way to it is skipped.
    static let capacity = 16

    private struct State {
        var turn = 0
        var underWay: [Int]
    }

    private let group: UVEventLoopGroup
    private let state: Lock<State>

    init(_ group: UVEventLoopGroup) {
        self.group = group
        state = Lock(State(underWay: group.loops.map { _ in 0 }))
    }

    /// Returns the loop for the next client, which counts as on its way there until ``arrived(at:)``.
    func next() -> (loop: UVEventLoop, number: Int) {
        let number = state.withLock { state in
            let count = state.underWay.count
            var best = state.turn
            for offset in 0..<count {
                let number = (state.turn + offset) % count
                if state.underWay[number] < state.underWay[best] { best = number }
                if state.underWay[number] < Self.capacity {
                    best = number
                    break
                }
            }
            state.turn = (best + 1) % count
            state.underWay[best] += 1
            return best
        }
        return (group.loops[number], number)
    }

    /// The number of clients on their way to each loop.
    var underWay: [Int] { state.withLock { $0.underWay } }

    func arrived(at number: Int) { state.withLock { $0.underWay[number] -= 1 } }
}
