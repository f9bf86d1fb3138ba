import Dispatch
import Synchronization

/// State for closures, which are refused, and tasks, which continue elsewhere, that reach a closed loop. Any thread.
struct AfterClose: Sendable {
    let hasRefusedPost = OnceFlag()
    let hasMovedTask = OnceFlag()
    /// Runs actors that are pinned to the loop, one at a time as the loop did.
    let actors = Lock<DispatchQueue?>(nil)

    /// Becomes set when it is first read.
    final class OnceFlag: Sendable {
        private let flag = Atomic<Bool>(false)
        func isFirst() -> Bool { !flag.exchange(true, ordering: .relaxed) }
    }
}
