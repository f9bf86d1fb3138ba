import Dispatch
import Synchronization

/// What comes to a loop after it was closed: closures are refused, tasks go on elsewhere. Any thread.
struct AfterClose: Sendable {
    let hasRefusedPost = OnceFlag()
    let hasMovedTask = OnceFlag()
    /// Runs actors that are pinned to the loop, one after the other as the loop did.
    let actors = Lock<DispatchQueue?>(nil)

    /// Is set the first time that somebody asks.
    final class OnceFlag: Sendable {
        private let flag = Atomic<Bool>(false)
        func isFirst() -> Bool { !flag.exchange(true, ordering: .relaxed) }
    }
}

extension LoopCore {
    /// For what throws.
    func closedError(_ operation: String) -> UVError {
        UVError(.invalidArgument, operation: operation, detail: "UVEventLoop '\(name.text)' is closed")
    }

    /// Refuses a closure, and says so the first time.
    @inline(never)
    func refusePost() -> Bool {
        if afterClose.hasRefusedPost.isFirst() {
            warn(
                "work was posted to UVEventLoop '\(name.text)' after it was closed, and is dropped, as all that comes later. "
                    + "End what posts to a loop before you close it, or look at what execute returns."
            )
        }
        return false
    }

    /// Lets a job go on where Swift would run it without the loop, and says so the first time.
    @inline(never)
    func moveJob(_ job: Job, _ route: Job.Route) {
        warnOfMovedTask()
        guard route == .serial || route == .main, let face else { return globalConcurrentExecutor.enqueue(job.unowned) }
        let loop = face.takeUnretainedValue()
        actorsQueue.async { job.unowned.runSynchronously(on: UnownedSerialExecutor(ordinary: loop)) }
    }

    /// The same, after a `delay` in nanoseconds.
    func moveJob(_ job: Job, after delay: UInt64) {
        warnOfMovedTask()
        let delay = DispatchTimeInterval.nanoseconds(Int(clamping: delay))
        DispatchQueue.global().asyncAfter(deadline: .now() + delay) { globalConcurrentExecutor.enqueue(job.unowned) }
    }

    private func warnOfMovedTask() {
        if afterClose.hasMovedTask.isFirst() {
            warn(
                "a task or an actor went on on UVEventLoop '\(name.text)' after it was closed, and goes on on Swift's own "
                    + "threads, as all that come later. Let what runs on a loop end before you close the loop."
            )
        }
    }

    private static let actorsKey = DispatchSpecificKey<ObjectIdentifier>()

    private var actorsQueue: DispatchQueue {
        afterClose.actors.withLock { queue in
            if let queue { return queue }
            let new = DispatchQueue(label: "UVEventLoop \(name.text), closed")
            new.setSpecific(key: Self.actorsKey, value: ObjectIdentifier(self))
            queue = new
            return new
        }
    }

    /// Whether an actor that is pinned to the loop may run here: on its thread, and once such actors have gone on after a
    /// close, where they do that.
    var isolatesHere: Bool {
        if !isClosed { return isOnOwnThread }
        if DispatchQueue.getSpecific(key: Self.actorsKey) == ObjectIdentifier(self) { return true }
        return isOnOwnThread && afterClose.actors.withLock { $0 == nil }
    }
}
