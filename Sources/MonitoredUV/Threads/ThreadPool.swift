import Dispatch
import MonitoredUVPlatform

/// Threads that perform items, oldest first. They start as needed, up to a limit, and end after some seconds without
/// work.
final class ThreadPool<Item: AnyObject & Sendable>: Sendable {
    private struct State {
        /// The waiting items, in order, from `head` on.
        var waiting: [Item?] = []
        var head = 0
        var waitingCount: Int { waiting.count - head }
        var threads = 0
        /// The number of threads that are idle, or have not yet noticed that they have work.
        var idle = 0
        /// The process that the threads belong to: a child does not inherit them.
        var process = getpid()

        mutating func takeFirst() -> Item? {
            if waitingCount == 0 { return nil }
            defer {
                head += 1
                // Moves the remaining items, on average at most one for each item taken.
                if head * 2 > waiting.count {
                    waiting.removeFirst(head)
                    head = 0
                }
            }
            return waiting[head].take()
        }
    }

    private let name: String
    private let limit: Int
    private let idleTime: DispatchTimeInterval
    private let perform: @Sendable (Item) -> Void
    private let state = Lock(State())
    private let available = DispatchSemaphore(value: 0)

    init(
        name: String,
        atMost limit: Int,
        idleTime: DispatchTimeInterval = .seconds(10),
        _ perform: @escaping @Sendable (Item) -> Void
    ) {
        self.name = name
        self.limit = limit
        self.idleTime = idleTime
        self.perform = perform
    }

    /// The number of threads that exist. Any thread.
    var threadCount: Int { state.withLock { $0.threads } }

    /// Adds an item. Throws if there is no thread and none can be started; then `item` is dropped. Any thread.
    func add(_ item: Item) throws(UVError) {
        let failure: UVError? = state.withLock { state in
            if state.process != getpid() { state = State() }
            state.waiting.append(item)
            if state.idle >= state.waitingCount || state.threads == limit { return nil }
            do throws(UVError) {
                try LoopThread(name: name) { self.main() }.detach()
                state.threads += 1
                state.idle += 1
            } catch {
                if state.threads == 0 {
                    state.waiting.removeLast()
                    return error
                }
            }
            return nil
        }
        if let failure { throw failure }
        available.signal()
    }

    private func main() {
        blockSignals()
        while true {
            let isDue = available.wait(timeout: .now() + idleTime) == .success
            let item: Item?? = state.withLock { state in
                if let first = state.takeFirst() {
                    state.idle -= 1
                    return first
                }
                if isDue { return .some(nil) }
                state.threads -= 1
                state.idle -= 1
                return nil
            }
            guard let item else { return }
            guard let item else { continue }
            perform(item)
            state.withLock { $0.idle += 1 }
        }
    }
}
