import CMonitoredUV
import Dispatch
import MonitoredUVPlatform
import Synchronization

/// The one thread of the process that looks at all loops from outside. It starts with the first watched loop, and
/// sleeps while nothing is due.
final class WatchdogThread: Sendable {
    static let shared = WatchdogThread()

    private struct State {
        var watchdogs: [LoopWatchdog] = []
        /// Watchdogs to look at once more.
        var finished: [LoopWatchdog] = []
        var tasks: [@Sendable () -> Void] = []
        var signals: [Int32: [@Sendable () -> Void]] = [:]
        var isStarted = false
    }

    private let state = Lock(State())
    /// The descriptor to write to from anywhere, including signal handlers, to wake the thread; -1 until it starts.
    private let writeEnd = Atomic<Int32>(-1)
    /// Runs slow work (names and lines of stacks, files, the program's own closures), so that this thread can go on
    /// looking.
    private let reporting = WorkThread(name: "MonitoredUV")
    /// Answers requests made by signals, which must not wait for that.
    private let answering = WorkThread(name: "MonitoredUV")

    // MARK: Any thread

    /// Starts looking at a loop, now or once there is a thread to look.
    func add(_ watchdog: LoopWatchdog) {
        state.withLock { state in
            if !state.watchdogs.contains(where: { $0 === watchdog }) { state.watchdogs.append(watchdog) }
        }
        change { _ in }
    }

    /// Stops looking at a loop that is closed. What it has left behind is still reported.
    func finish(_ watchdog: LoopWatchdog) {
        let isWatched = state.withLock { state in state.watchdogs.contains { $0 === watchdog } }
        if !isWatched || change({ $0.finished.append(watchdog) }) { return }
        state.withLock { state in state.watchdogs.removeAll { $0 === watchdog } }
        watchdog.listeners.removeAll()
    }

    /// Runs `task` on the watchdog thread, after a look at all loops and the capture of the stacks of those that are
    /// stuck; returns `false` if there is no such thread.
    @discardableResult
    func perform(_ task: @escaping @Sendable () -> Void) -> Bool { change { $0.tasks.append(task) } }

    /// Runs `task` after the reports that are already pending; returns `false` if there are too many.
    func report(_ task: @escaping @Sendable () -> Void) -> Bool { reporting.perform(task, atMost: 1024) }

    /// Runs `task`, which is about a sample of a profile, after the reports that are pending. Drops it if there are many.
    func addSample(_ task: @escaping @Sendable () -> Void) { _ = reporting.perform(task, atMost: 32) }

    /// Runs `task` whenever the signal arrives. Returns the reason if it cannot.
    func onSignal(_ number: Int32, _ task: @escaping @Sendable () -> Void) -> String? {
        if !change({ $0.signals[number, default: []].append(task) }) { return "no thread could be started to watch it" }
        if muv_signal_watch(number, writeEnd.load(ordering: .relaxed)) { return nil }
        return "the program has a handler for it, or it cannot be caught. Name another signal."
    }

    /// Waits for a look at all loops, and for the stacks of those that are stuck; returns `false` if there is no
    /// watchdog thread. Not on the watchdog thread.
    @discardableResult
    func look() -> Bool {
        let looked = DispatchSemaphore(value: 0)
        let isLooking = perform { looked.signal() }
        if isLooking { looked.wait() }
        return isLooking
    }

    /// Waits for the reports that are already pending. Not on the reporting thread.
    func flushReports() {
        let flushed = DispatchSemaphore(value: 0)
        if reporting.perform({ flushed.signal() }) { flushed.wait() }
    }

    /// Delivers pending reports when the program ends by `exit`, or by returning from `main`.
    private func flushAtExit() {
        process.store(getpid(), ordering: .relaxed)
        atexit {
            let shared = WatchdogThread.shared
            // A copy made by `fork` has none of these threads, and the reporting thread must not wait for itself.
            if shared.process.load(ordering: .relaxed) != getpid() || shared.reporting.isCurrent { return }
            // Without a lock: a signal handler that calls `exit` may have interrupted the thread that holds it.
            shared.isExiting.store(true, ordering: .relaxed)
            shared.wake()
            // A closure that never returns must not block the exit.
            _ = shared.isFlushed.wait(timeout: .now() + .seconds(1))
        }
    }

    private let process = Atomic<Int32>(0)
    private let hasWarnedOfFork = Atomic<Bool>(false)
    private let isExiting = Atomic<Bool>(false)
    private let isFlushed = DispatchSemaphore(value: 0)

    /// Makes the thread look at once.
    func wake() {
        var byte: UInt8 = 0
        let descriptor = writeEnd.load(ordering: .relaxed)
        if descriptor >= 0 { _ = write(descriptor, &byte, 1) }  // a full pipe wakes it, too
    }

    @discardableResult
    private func change(_ body: (inout State) -> Void) -> Bool {
        // A copy made by `fork` has none of these threads.
        let owner = process.load(ordering: .relaxed)
        if owner != 0 && owner != getpid() {
            if !hasWarnedOfFork.exchange(true, ordering: .relaxed) {
                warn(
                    "loops are not watched in this process, because it was forked from one that watches its own. Call exec after "
                        + "fork, or fork before you start to monitor."
                )
            }
            return false
        }
        let isStarted = state.withLock { state in
            if !state.isStarted { state.isStarted = start() }
            if state.isStarted { body(&state) }
            return state.isStarted
        }
        wake()
        return isStarted
    }

    /// Starts the thread. Without descriptors or threads, returns `false`, and the loops run unwatched.
    private func start() -> Bool {
        var ends: [Int32] = [-1, -1]
        if pipe(&ends) != 0 {
            warnUnwatched(UVError(.init(rawValue: -errno), operation: "pipe"))
            return false
        }
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)
            _ = fcntl(end, F_SETFL, O_NONBLOCK)
        }
        let readEnd = ends[0]
        do { try LoopThread(name: "MonitoredUV", { self.main(readEnd) }).detach() } catch {
            warnUnwatched(error)
            ends.forEach { close($0) }
            return false
        }
        writeEnd.store(ends[1], ordering: .releasing)
        // Loading the symbols takes long the first time.
        reporting.perform { Symbols.load() }
        flushAtExit()
        return true
    }

    private func warnUnwatched(_ error: any Error) {
        warn(
            "loops are not watched, and neither stalls nor slow callbacks are reported: \(error). Raise the limit of "
                + "descriptors (ulimit -n) or threads (ulimit -u). Starting another watchdog tries again."
        )
    }

    // MARK: The thread

    private func main(_ readEnd: Int32) {
        blockSignals()
        var sampler = StackSampler()
        var suspension = SuspensionDetector(thread: SampledThread())
        var waiting: [@Sendable () -> Void] = []
        var missed: SuspensionDetector.Lateness?
        while true {
            let isLast = isExiting.load(ordering: .relaxed)  // before the looks: what ended since may be missed
            let late = suspension.wokeUp(at: MonotonicClock.read()) ?? missed
            let (watchdogs, finished, tasks, signals) = state.withLock { state in
                defer {
                    state.watchdogs.removeAll { watchdog in state.finished.contains { $0 === watchdog } }
                    state.finished = []
                    state.tasks = []
                }
                return (state.watchdogs, state.finished, state.tasks, state.signals)
            }
            waiting += tasks
            for (number, tasks) in signals where muv_signal_take(number) { tasks.forEach { answering.perform($0) } }
            var next = UInt64.max
            for watchdog in watchdogs { next = min(next, watchdog.look(at: MonotonicClock.read(), late, &sampler)) }
            for watchdog in finished { watchdog.listeners.removeAll() }
            missed = finishSampling(&sampler, &suspension, until: next)
            if sampler.isIdle {
                for task in waiting { task() }
                waiting = []
                if isLast && !reporting.perform({ [isFlushed] in isFlushed.signal() }) { isFlushed.signal() }
            }
            let now = MonotonicClock.read()
            suspension.sleeps(until: next, at: now)
            wait(at: readEnd, until: next, now)
        }
    }

    /// Continues the captures that are under way, as long as nothing else is due. Returns why one of its pauses was much too
    /// long, if one was.
    private func finishSampling(
        _ sampler: inout StackSampler,
        _ suspension: inout SuspensionDetector,
        until next: UInt64
    ) -> SuspensionDetector.Lateness? {
        var pause: UInt32 = 100
        var late: SuspensionDetector.Lateness?
        while !sampler.isIdle {
            let now = MonotonicClock.read()
            if now >= next { break }
            suspension.sleeps(until: now + UInt64(pause) * 1000, at: now)
            usleep(pause)
            late = suspension.wokeUp(at: MonotonicClock.read()) ?? late
            sampler.step(at: MonotonicClock.read())
            pause = min(2 * pause, 2000)
        }
        return late
    }

    private func wait(at readEnd: Int32, until next: UInt64, _ now: UInt64) {
        let milliseconds = next == .max ? -1 : next <= now ? 0 : Int32(min((next - now + 999_999) / 1_000_000, 60_000))
        var descriptor = pollfd(fd: readEnd, events: Int16(POLLIN), revents: 0)
        if poll(&descriptor, 1, milliseconds) <= 0 { return }
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 256) { bytes in
            while read(readEnd, bytes.baseAddress, bytes.count) == bytes.count {}
        }
    }
}

/// A detector of times in which the whole process was not running: stopped, frozen, or held by a debugger.
struct SuspensionDetector {
    /// Shorter suspensions do not matter.
    private static let shortest: UInt64 = 100_000_000

    enum Lateness: Equatable {
        /// The whole process did not run.
        case suspended(since: UInt64)
        /// The machine was too busy to run the thread.
        case starved
    }

    private let thread: SampledThread?
    private var planned = UInt64.max
    private var before: ThreadUsage?
    private var readAt: UInt64 = 0

    init(thread: SampledThread?) { self.thread = thread }

    mutating func sleeps(until planned: UInt64, at now: UInt64) {
        self.planned = max(planned, now)
        // Reading takes a while, and what the thread did in looks that were on time is little.
        if now >= readAt + Self.shortest / 2 { (before, readAt) = (thread?.usage.read(), now) }
    }

    /// Returns why this thread woke much later than planned, if it did.
    mutating func wokeUp(at now: UInt64) -> Lateness? {
        guard now > planned, now - planned >= Self.shortest else { return nil }
        let usage = thread?.usage.read()
        return Self.lateness(since: planned, now, usage.flatMap { last in before.map { last - $0 } })
    }

    static func lateness(since planned: UInt64, _ now: UInt64, _ usage: ThreadUsage?) -> Lateness {
        if let usage, usage.waitingToRun >= (now - planned) / 2 { return .starved }
        return .suspended(since: planned)
    }
}
