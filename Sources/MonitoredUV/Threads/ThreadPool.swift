import Dispatch

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Threads that perform what they are given, oldest first. They start as needed, up to a limit, and end after some
/// seconds without work.
final class ThreadPool<Item: AnyObject & Sendable>: Sendable {
    private struct State {
        var waiting: [Item] = []
        var threads = 0
        /// How many of the threads have nothing to do, or have not noticed yet that they do.
        var idle = 0
        /// The process that the threads belong to: a child does not inherit them.
        var process = getpid()
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

    /// Any thread. Throws if there is no thread and none can be started; then `item` is dropped.
    func add(_ item: Item) throws(UVError) {
        let failure: UVError? = state.withLock { state in
            if state.process != getpid() { state = State() }
            state.waiting.append(item)
            if state.idle >= state.waiting.count || state.threads == limit { return nil }
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

    /// Takes back an item that waits. Any thread; does nothing if the item is being performed, or was.
    func remove(_ item: Item) { state.withLock { $0.waiting.removeAll { $0 === item } } }

    private func main() {
        blockSignals()
        while true {
            let isDue = available.wait(timeout: .now() + idleTime) == .success
            let item: Item?? = state.withLock { state in
                if let first = state.waiting.first {
                    state.waiting.removeFirst()
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
