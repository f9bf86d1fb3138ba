import Dispatch
import Synchronization

/// The state for work that reaches a closed loop: closures are refused, and tasks continue elsewhere. Any thread.
struct AfterClose: Sendable {
    let hasRefusedPost = OnceFlag()
    let hasMovedTask = OnceFlag()
    /// Runs actors that are pinned to the loop, one at a time as the loop did.
    let actors = Lock<DispatchQueue?>(nil)

    /// A flag that becomes set when it is first read.
    final class OnceFlag: Sendable {
        private let flag = Atomic<Bool>(false)
        func isFirst() -> Bool { !flag.exchange(true, ordering: .relaxed) }
    }
}
