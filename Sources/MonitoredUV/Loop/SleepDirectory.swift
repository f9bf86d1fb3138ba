/// Finds where tasks sleep, by the numbers in their tickets.
enum SleepDirectory {
    private struct State {
        var last: UInt32 = 0
        var loops: [UInt32: LoopShared] = [:]
        var pool: JobPool?
    }

    private static let state = Lock(State())

    /// A loop's entry, valid as long as this object lives.
    final class Registration {
        let number: UInt32

        init(_ loop: LoopShared) {
            number = SleepDirectory.state.withLock { state in
                repeat {
                    state.last &+= 1
                } while state.last == 0 || state.last == JobPool.number || state.loops[state.last] != nil
                state.loops[state.last] = loop
                return state.last
            }
        }

        deinit { SleepDirectory.state.withLock { _ = $0.loops.removeValue(forKey: number) } }
    }

    /// The pool of the process, which has the number ``JobPool/number``.
    static var pool: JobPool? {
        get { state.withLock { $0.pool } }
        set { state.withLock { $0.pool = newValue } }
    }

    /// Returns the loop with a number; `nil` if the loop is gone.
    static func loop(_ number: UInt32) -> LoopShared? { state.withLock { $0.loops[number] } }
}
