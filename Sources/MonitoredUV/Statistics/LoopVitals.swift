import Synchronization

/// The part of a loop that other threads may read, whatever its own thread is doing. It outlives the loop for its
/// readers.
///
/// Unless marked otherwise, only the loop's thread writes.
final class LoopVitals: Sendable {
    let name: CallbackName
    let time = LoopTimeSums.allocate()
    let inFlight = InFlight()

    /// Whether the level was above `off` when the loop last checked.
    let isMonitored = Atomic<Bool>(false)

    let localPosts = Counter()
    let remotePosts = Counter()
    let localJobs = Counter()
    let remoteJobs = Counter()
    /// The length of the loop's own queues when the running dispatch began, or after the last one, and its peak.
    let queued = Counter()
    let queuedPeak = Counter()
    let timers = Counter()
    /// The tasks that a loop of SwiftNIO has run, and the most in one iteration.
    let tasks = Counter()
    let tasksPeak = Counter()
    /// The highest length that any reader has seen. Any thread.
    private let seenPeak = Atomic<Int>(0)

    /// Counts by libuv's type number.
    let handles = Counters()
    let requests = Counters()

    /// The smoothed lag above which the loop is overloaded, in nanoseconds. Any thread.
    let overloadLimit = Atomic<UInt64>(100_000_000)
    let wasOverloaded = Atomic<Bool>(false)

    private let lazyMetrics = AtomicLazyReference<LoopMetrics>()

    init(name: CallbackName) { self.name = name }

    deinit { time.deallocate() }

    /// The metrics, kept as long as this object; `nil` for a loop that was never at level `metrics`.
    var metrics: LoopMetrics? { lazyMetrics.load() }

    /// Returns the metrics, and creates them if there are none. Loop thread.
    func makeMetrics(at now: UInt64) -> Unmanaged<LoopMetrics> {
        .passUnretained(metrics ?? lazyMetrics.storeIfNil(LoopMetrics(.current, at: now)))
    }

    /// Returns the number of items waiting in the loop's own queues and in `remote`, and its peak. Any thread.
    ///
    /// Work that moves between the two during the read must not count twice; it cannot move before a dispatch has
    /// ended.
    ///
    /// - Parameter pause: Called between any two words, for tests.
    func queueLength(with remote: () -> Int, pause: () -> Void = {}) -> (now: Int, peak: Int) {
        var length = 0
        var dispatches: UInt64?
        repeat {
            dispatches = metrics?.ring.count
            pause()
            let own = queued.value
            pause()
            length = own + remote()
            pause()
        } while metrics?.ring.count != dispatches
        let seen = seenPeak.max(length, ordering: .relaxed).newValue
        return (length, max(queuedPeak.value, seen))
    }

    // MARK: Overload

    /// Updates the overload state. Loop thread, once per iteration.
    @inline(__always)
    func updateOverload(_ smoothedLag: Double) {
        let isOverloaded = isTooHigh(smoothedLag, limit: limit, was: wasOverloaded.load(ordering: .relaxed))
        wasOverloaded.store(isOverloaded, ordering: .relaxed)
    }

    private var limit: Double {
        @inline(__always) get { Double(signed: overloadLimit.load(ordering: .relaxed)) }
    }

    /// Returns the current smoothed lag. Ready work counts as having waited since the running dispatch began; while
    /// none is running, nothing waits. Any thread.
    func smoothedLag(at now: UInt64) -> Double {
        guard isMonitored.load(ordering: .relaxed), let metrics else { return 0 }
        let since = inFlight.current?.start ?? now
        return metrics.smoothedLag.blended(withWaitFrom: since, until: now)
    }

    /// Returns whether the loop is overloaded. Any thread.
    func isOverloaded(at now: UInt64) -> Bool {
        isMonitored.load(ordering: .relaxed)
            && isTooHigh(smoothedLag(at: now), limit: limit, was: wasOverloaded.load(ordering: .relaxed))
    }

    /// A number that one thread changes and any thread may read.
    struct Counter: ~Copyable {
        private let number = Atomic<Int>(0)

        var value: Int {
            @inline(__always) get { number.load(ordering: .acquiring) }
        }

        @inline(__always)
        func add(_ more: Int) { set(value &+ more) }

        @inline(__always)
        func set(_ value: Int) { number.store(value, ordering: .releasing) }

        @inline(__always)
        func raise(to value: Int) { if value > self.value { set(value) } }
    }

    /// Numbers of this sort, one for each of libuv's types of handles or requests.
    final class Counters: Sendable {
        private let words = Words.allocateZeroed(count)
        static let count = 32

        deinit { words.deallocate() }

        func add(_ more: Int, _ type: Int) { (words + type).add(UInt64(bitPattern: Int64(more))) }

        /// Returns the nonzero numbers, by the names of their types.
        func named(_ name: (Int) -> String) -> [String: Int] {
            var named: [String: Int] = [:]
            for type in 0..<Self.count where (words + type).value != 0 {
                named[name(type), default: 0] += Int(truncatingIfNeeded: (words + type).value)
            }
            return named
        }
    }
}
