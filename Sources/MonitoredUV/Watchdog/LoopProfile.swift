import Synchronization

/// The functions that a loop's long dispatches spend their time in, from samples of its thread's stack. For loops that
/// this library does not run: of their iterations, nothing else tells what they did.
///
/// A sample stands for the time since the one before it. Names and totals are made on the reporting thread.
final class LoopProfile: Sendable {
    /// The duration from which dispatches are sampled, in nanoseconds.
    static let shortest: UInt64 = 4_000_000

    private let asleep = Atomic<Bool>(true)
    // The dispatch that was sampled last, by its start, and the function that most of its samples are for.
    private let sampled = Atomic<UInt64>(0)
    private let name = Atomic<UInt32>(0)
    private let totals = Lock(Totals())
    private let schedule = Lock(SampleSchedule())

    private struct Totals {
        var start: UInt64 = 0
        var functions: [CallbackName: UInt64] = [:]
        var stacks = FoldedStacks()
    }

    // MARK: Loop thread

    /// Whether the watchdog thread has stopped looking, because the loop had nothing to do.
    var isAsleep: Bool {
        @inline(__always) get { asleep.load(ordering: .relaxed) }
    }

    /// Lets the watchdog thread, which must be woken, look again.
    func wake() { asleep.store(false, ordering: .relaxed) }

    /// Returns the function of the program's own in which the dispatch that began at `start` has spent most of its
    /// time; `nil` if that is not known.
    func name(of start: UInt64) -> CallbackName? {
        sampled.load(ordering: .acquiring) == start ? CallbackName(id: name.load(ordering: .relaxed)) : nil
    }

    // MARK: Watchdog thread

    /// Looks at the running dispatch.
    ///
    /// - Parameters:
    ///   - count: The number of dispatches that have ended.
    /// - Returns: Whether to take a sample now, for which span of time, and when to look again.
    func look(at running: InFlight.Dispatch?, _ count: UInt64, now: UInt64) -> (span: UInt64?, next: UInt64) {
        let result = schedule.withLock { $0.look(at: running?.start, count, now: now) }
        if result.next == .max { asleep.store(true, ordering: .relaxed) }
        return result
    }

    /// Begins the next span at `now`, because a sample was taken for the time until then, or nothing is to be said of it.
    func skip(until now: UInt64) { schedule.withLock { $0.skip(until: now) } }

    // MARK: Reporting thread

    /// Adds a sample of the dispatch that began at `start`. Looks up functions, which may take milliseconds.
    func add(_ sample: StackSample, of start: UInt64, span: UInt64) {
        let frames = sample.functions
        let own = frames.first { $0.isOwn }.map { CallbackName($0.function) }
        totals.withLock { totals in
            totals.stacks.add(frames, span)
            if totals.start != start { (totals.start, totals.functions) = (start, [:]) }
            guard let own else { return }
            totals.functions[own, default: 0] += span
            let most = totals.functions.max { ($0.value, $1.key.id) < ($1.value, $0.key.id) }!.key
            if sampled.load(ordering: .relaxed) != start { sampled.store(0, ordering: .relaxed) }
            name.store(most.id, ordering: .releasing)
            sampled.store(start, ordering: .releasing)
        }
    }

    // MARK: Any thread

    /// The time in each stack: a line of functions, outermost first, and of microseconds.
    var foldedStacks: String { totals.withLock { $0.stacks }.text }
}

/// The rule that decides when a dispatch's stack is sampled: at the shortest duration, and then ever less often, so that
/// a stall of a second has about forty samples. A loop whose dispatches are short is also looked at less and less often.
/// It reads no clock.
struct SampleSchedule {
    private var start: UInt64?
    private var count: UInt64 = 0
    /// When the loop was last seen to do something.
    private var activity: UInt64 = 0
    private var next: UInt64 = 0
    private var last: UInt64 = 0
    /// The time between two looks that find no dispatch to sample.
    private var interval = LoopProfile.shortest

    mutating func look(at running: UInt64?, _ count: UInt64, now: UInt64) -> (span: UInt64?, next: UInt64) {
        let shortest = LoopProfile.shortest
        if running != start || self.count != count { activity = now }
        self.count = count
        guard let running else {
            start = nil
            return (nil, now >= activity + Self.shortestIdle ? .max : now + lengthen())
        }
        if start != running {
            let isSecond = start != nil
            (start, last, next) = (running, running, running + shortest)
            // A second look, at a dispatch's shortest duration, found another one.
            if isSecond, now < next {
                start = nil
                return (nil, now + lengthen())
            }
        }
        // A look may come too late for the first sample, or too early.
        if now < next { return (nil, max(next, now + shortest / 4)) }
        interval = shortest
        next = now + max(shortest, (now - running) / 8)
        return (now > last ? now - last : 0, next)
    }

    mutating func skip(until now: UInt64) { last = now }

    /// Returns the time until the next look, which is longer each time.
    private mutating func lengthen() -> UInt64 {
        defer { interval = min(2 * interval, Self.longestInterval) }
        return interval
    }

    /// Dispatches that are longer are always seen.
    private static let longestInterval = 16 * LoopProfile.shortest
    /// Looking in vain costs less than being woken again by each of a few dispatches a second.
    private static let shortestIdle = 250 * LoopProfile.shortest
}

/// Time by stack, in the form that flame graph tools read.
struct FoldedStacks: Sendable {
    /// Stacks beyond these are added up as one.
    private static let limit = 1024
    private var times: [String: UInt64] = [:]

    /// - Parameter frames: Innermost first.
    mutating func add(_ frames: [StackFrame], _ nanoseconds: UInt64) {
        let functions = frames.reversed().map { $0.function.replacing(";", with: ":").replacing("\n", with: " ") }
        let stack = functions.isEmpty ? "?" : functions.joined(separator: ";")
        times[times[stack] != nil || times.count < Self.limit ? stack : CallbackName.other.text, default: 0] +=
            nanoseconds
    }

    var text: String {
        times.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
            .map { "\($0.key) \($0.value / 1000)\n" }.joined()
    }
}
