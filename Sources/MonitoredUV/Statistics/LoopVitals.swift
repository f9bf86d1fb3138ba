import Synchronization

/// The part of a loop that other threads may read, whatever its own thread is doing; it outlives the loop for its readers.
///
/// Unless marked otherwise the loop's thread alone writes.
final class LoopVitals: Sendable {
    let name: CallbackName
    let time = LoopTimeSums.allocate()
    let inFlight = InFlight()

    /// Whether the level was above `off` at the loop's last look.
    let isMonitored = Atomic<Bool>(false)

    let localPosts = Counter()
    let remotePosts = Counter()
    let localJobs = Counter()
    let remoteJobs = Counter()
    /// The length of the loop's own queues when the running dispatch began, or after the last one; and the most so far.
    let queued = Counter()
    let queuedPeak = Counter()
    let timers = Counter()
    /// The most that anybody who looked has seen. Any thread.
    private let seenPeak = Atomic<Int>(0)

    /// By the number of libuv's type.
    let handles = Counters()
    let requests = Counters()

    /// The smoothed lag from which the loop is overloaded, in nanoseconds. Any thread.
    let overloadLimit = Atomic<UInt64>(100_000_000)
    let wasOverloaded = Atomic<Bool>(false)

    private let lazyMetrics = AtomicLazyReference<LoopMetrics>()

    init(name: CallbackName) { self.name = name }

    deinit { time.deallocate() }

    /// `nil` for a loop that was never at level `metrics`. It stays for as long as this.
    var metrics: LoopMetrics? { lazyMetrics.load() }

    /// Loop thread: makes the metrics, if there are none.
    func makeMetrics(at now: UInt64) -> Unmanaged<LoopMetrics> {
        .passUnretained(metrics ?? lazyMetrics.storeIfNil(LoopMetrics(.current, at: now)))
    }

    /// Any thread: what waits in the loop's own queues and in `remote`, and the most so far.
    ///
    /// Work that moves from one to the other during the read must not count twice; it cannot before a dispatch has ended.
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

    /// Loop thread, once for each iteration.
    @inline(__always)
    func updateOverload(_ smoothedLag: Double) {
        let isOverloaded = isTooHigh(smoothedLag, limit: limit, was: wasOverloaded.load(ordering: .relaxed))
        wasOverloaded.store(isOverloaded, ordering: .relaxed)
    }

    private var limit: Double {
        @inline(__always) get { Double(signed: overloadLimit.load(ordering: .relaxed)) }
    }

    /// Any thread: the smoothed lag now. Whatever is ready now has waited for as long as a dispatch is running; while
    /// none is, nothing waits.
    func smoothedLag(at now: UInt64) -> Double {
        guard isMonitored.load(ordering: .relaxed), let metrics else { return 0 }
        let since = inFlight.current?.start ?? now
        return metrics.smoothedLag.blended(withWaitFrom: since, until: now)
    }

    /// Any thread.
    func isOverloaded(at now: UInt64) -> Bool {
        isMonitored.load(ordering: .relaxed)
            && isTooHigh(smoothedLag(at: now), limit: limit, was: wasOverloaded.load(ordering: .relaxed))
    }

    /// A number that one thread changes and any may read.
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

    /// One such number for each of libuv's types of handles or requests.
    final class Counters: Sendable {
        private let words = Words.allocateZeroed(count)
        static let count = 32

        deinit { words.deallocate() }

        func add(_ more: Int, _ type: Int) { (words + type).add(UInt64(bitPattern: Int64(more))) }

        /// Those that are not zero, by the names of their types.
        func named(_ name: (Int) -> String) -> [String: Int] {
            var named: [String: Int] = [:]
            for type in 0..<Self.count where (words + type).value != 0 {
                named[name(type), default: 0] += Int(truncatingIfNeeded: (words + type).value)
            }
            return named
        }
    }
}
