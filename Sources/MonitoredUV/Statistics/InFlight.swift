import Synchronization

/// The running dispatch, visible to other threads.
struct InFlight: ~Copyable, Sendable {
    struct Dispatch: Equatable, Sendable {
        /// Identifies the dispatch: no two dispatches of a loop start at the same instant.
        let start: UInt64
        let name: CallbackName
        let kind: CallbackKind
    }

    private let start = Atomic<UInt64>(0)
    private let what = Atomic<UInt64>(0)

    /// Loop thread.
    @inline(__always)
    func begin(_ kind: CallbackKind, _ name: CallbackName, at now: UInt64) {
        rename(kind, name)
        start.store(now, ordering: .releasing)
    }

    /// Sets a name that was not known when the dispatch began. Loop thread.
    @inline(__always)
    func rename(_ kind: CallbackKind, _ name: CallbackName) {
        what.store(UInt64(name.id) &<< 8 | UInt64(kind.number), ordering: .releasing)
    }

    /// Loop thread.
    @inline(__always)
    func end() { start.store(0, ordering: .releasing) }

    /// Any thread.
    var current: Dispatch? {
        while true {
            let start = start.load(ordering: .acquiring)
            if start == 0 { return nil }
            let what = what.load(ordering: .acquiring)
            if self.start.load(ordering: .relaxed) != start { continue }
            return Dispatch(
                start: start,
                name: CallbackName(id: UInt32(what >> 8)),
                kind: CallbackKind(number: UInt8(what & 0xff))
            )
        }
    }
}
