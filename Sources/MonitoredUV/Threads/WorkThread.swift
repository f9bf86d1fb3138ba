import Dispatch
import Synchronization

/// A thread that runs closures one after another, in order. It starts with the first closure, and stays.
final class WorkThread: Sendable {
    private struct State {
        var work: [@Sendable () -> Void] = []
        var isStarted = false
    }

    private let name: String
    private let state = Lock(State())
    private let available = DispatchSemaphore(value: 0)

    init(name: String) { self.name = name }

    /// Adds a closure. Drops it and returns `false` if `limit` others are waiting, or if no thread can be started. Any
    /// thread.
    @discardableResult
    func perform(_ work: @escaping @Sendable () -> Void, atMost limit: Int = .max) -> Bool {
        let isFirst: Bool? = state.withLock { state in
            if state.work.count >= limit { return nil }
            state.work.append(work)
            defer { state.isStarted = true }
            return !state.isStarted
        }
        guard let isFirst else { return false }
        available.signal()
        if !isFirst { return true }
        do { try LoopThread(name: name, { self.main() }).detach() } catch {
            warn(
                "the thread '\(name)' could not be started: \(error). The reports that waited for it are lost; the next one "
                    + "tries again. Raise the limit of threads (ulimit -u)."
            )
            state.withLock { state in
                state.work = []
                state.isStarted = false
            }
            return false
        }
        return true
    }

    /// Whether the running thread is this one.
    var isCurrent: Bool { thread.load(ordering: .relaxed) == currentThread() }

    private let thread = Atomic<UInt>(0)

    private func main() {
        thread.store(currentThread(), ordering: .relaxed)
        while true {
            available.wait()
            let work = state.withLock { state in state.work.isEmpty ? nil : state.work.removeFirst() }
            work?()
        }
    }
}
