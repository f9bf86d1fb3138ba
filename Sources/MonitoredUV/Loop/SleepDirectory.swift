/// Finds the loop of a sleep that ends on another one.
enum SleepDirectory {
    private struct Entry { unowned let core: LoopCore }

    private struct State {
        var last: UInt32 = 0
        // Unowned: an entry goes before its loop does.
        var loops: [UInt32: Entry] = [:]
        var pool: JobPool?
    }

    private static let state = Lock(State())

    /// A loop's entry, as long as this lives.
    final class Number {
        let number: UInt32

        init(_ core: LoopCore) {
            number = SleepDirectory.state.withLock { state in
                repeat {
                    state.last &+= 1
                } while state.last == 0 || state.last == JobPool.number || state.loops[state.last] != nil
                state.loops[state.last] = Entry(core: core)
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

    /// Calls `body` with the loop, which cannot go meanwhile, unless it is gone.
    static func withLoop(_ number: UInt32, _ body: (LoopCore) -> Void) {
        state.withLock { state in if let entry = state.loops[number] { body(entry.core) } }
    }
}
