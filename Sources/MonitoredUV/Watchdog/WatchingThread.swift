internal import CMonitoredUV
import Dispatch

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The one thread of the process that looks at all loops from outside. It starts with the first loop that is watched,
/// and sleeps while nothing is due.
final class WatchingThread: Sendable {
    static let shared = WatchingThread()

    private struct State {
        var watches: [LoopWatch] = []
        /// Those to be looked at once more.
        var finished: [LoopWatch] = []
        var tasks: [@Sendable () -> Void] = []
        var signals: [Int32: @Sendable () -> Void] = [:]
        var isStarted = false
    }

    private let state = Lock(State())
    /// To write to from anywhere, signal handlers included, and to wait at.
    private let wakeUp: (read: Int32, write: Int32)

    private init() {
        var ends: [Int32] = [-1, -1]
        if pipe(&ends) != 0 { fatalError("pipe failed with \(errno): the watchdog needs two descriptors") }
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        wakeUp = (ends[0], ends[1])
    }

    // MARK: Any thread

    /// Looks at a loop from now on.
    func add(_ watch: LoopWatch) {
        change { state in
            if !state.watches.contains(where: { $0 === watch }) { state.watches.append(watch) }
        }
    }

    /// The loop is closed: what it has left behind is still reported.
    func finish(_ watch: LoopWatch) {
        let isWatched = state.withLock { state in state.watches.contains { $0 === watch } }
        if isWatched { change { $0.finished.append(watch) } }
    }

    /// Runs `task` on the watching thread, after a look at all loops.
    func perform(_ task: @escaping @Sendable () -> Void) { change { $0.tasks.append(task) } }

    /// Runs `task` on the watching thread whenever the signal comes; `false` if the program has a handler for it.
    func onSignal(_ number: Int32, _ task: @escaping @Sendable () -> Void) -> Bool {
        change { $0.signals[number] = task }
        return muv_signal_watch(number, wakeUp.write)
    }

    /// Waits for a look at all loops. Not on the watching thread.
    func look() {
        let looked = DispatchSemaphore(value: 0)
        perform { looked.signal() }
        looked.wait()
    }

    private func change(_ body: (inout State) -> Void) {
        let isFirst = state.withLock { state in
            body(&state)
            defer { state.isStarted = true }
            return !state.isStarted
        }
        if !isFirst { return wake() }
        do {
            try LoopThread(name: "MonitoredUV", { self.main() }).detach()
            // What takes long the first time.
            try LoopThread(name: "MonitoredUV") {
                Symbols.load()
                SourceLocations.tryOut()
            }.detach()
        } catch {
            fatalError("the watchdog's thread could not be started: \(error)")
        }
    }

    /// Makes it look at once.
    func wake() {
        var byte: UInt8 = 0
        _ = write(wakeUp.write, &byte, 1)  // a full pipe wakes it as well
    }

    // MARK: The thread

    private func main() {
        // Signals are for the program's own threads.
        var all = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_BLOCK, &all, nil)
        let memory = UnsafeMutablePointer<muv_stack>.allocate(capacity: 1)
        var standstill = Standstill(thread: WatchedThread())
        while true {
            var now = MonotonicClock.read()
            let late = standstill.wokeUp(at: now)
            let (watches, tasks, signals) = state.withLock { state in
                defer {
                    state.watches.removeAll { watch in state.finished.contains { $0 === watch } }
                    state.finished = []
                    state.tasks = []
                }
                return (state.watches, state.tasks, state.signals)
            }
            var next = UInt64.max
            for watch in watches { next = min(next, watch.look(at: MonotonicClock.read(), late, memory)) }
            for task in tasks { task() }
            for (number, task) in signals where muv_signal_take(number) { task() }
            now = MonotonicClock.read()
            standstill.sleeps(until: next, at: now)
            wait(until: next, now)
        }
    }

    private func wait(until next: UInt64, _ now: UInt64) {
        let milliseconds = next == .max ? -1 : next <= now ? 0 : Int32(min((next - now + 999_999) / 1_000_000, 60_000))
        var descriptor = pollfd(fd: wakeUp.read, events: Int16(POLLIN), revents: 0)
        if poll(&descriptor, 1, milliseconds) <= 0 { return }
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 256) { bytes in
            while read(wakeUp.read, bytes.baseAddress, bytes.count) == bytes.count {}
        }
    }
}

/// Finds out that the process as a whole was not running for a while: stopped, frozen, or held by a debugger.
struct Standstill {
    /// Shorter ones do not matter.
    private static let shortest: UInt64 = 100_000_000

    enum Lateness: Equatable {
        /// The process as a whole did not run.
        case stoodStill(since: UInt64)
        /// The machine had too much else to do.
        case starved
    }

    private let thread: WatchedThread?
    private var planned = UInt64.max
    private var before: ThreadUsage?

    init(thread: WatchedThread?) { self.thread = thread }

    mutating func sleeps(until planned: UInt64, at now: UInt64) {
        self.planned = max(planned, now)
        before = thread?.usage.read()
    }

    /// Why this thread woke much later than planned, if it did.
    mutating func wokeUp(at now: UInt64) -> Lateness? {
        guard now > planned, now - planned >= Self.shortest else { return nil }
        let usage = thread?.usage.read()
        return Self.lateness(since: planned, now, usage.flatMap { last in before.map { last - $0 } })
    }

    static func lateness(since planned: UInt64, _ now: UInt64, _ usage: ThreadUsage?) -> Lateness {
        if let usage, usage.waitingToRun >= (now - planned) / 2 { return .starved }
        return .stoodStill(since: planned)
    }
}
