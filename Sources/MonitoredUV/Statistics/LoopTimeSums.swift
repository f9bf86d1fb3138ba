import Synchronization

/// The running sums behind ``LoopTime``. Only the loop's thread writes them; any thread reads them, without a lock.
///
/// Each part has a sum, and one more word holds the current part and its start. The sums add up to that start, so a
/// reader can check that the words it has read are consistent.
///
/// The value refers to its words. The code that allocates them must free them.
struct LoopTimeSums: Sendable {
    /// The parts that a loop's time is divided into.
    enum Part: Int {
        /// Between two runs, and before monitoring began.
        case outside
        case callbacks, monitor, poll, overhead
    }

    private static let partBits: UInt64 = 3
    private let words: Words

    static func allocate() -> LoopTimeSums { LoopTimeSums(words: .allocateZeroed(16)) }

    func deallocate() { words.deallocate() }

    @inline(__always)
    private func sum(of part: Part) -> UnsafeMutablePointer<Word> { words + part.rawValue }

    /// The current part, in the bits below its start.
    private var state: UnsafeMutablePointer<Word> {
        @inline(__always) get { words + 5 }
    }

    private var iteration: UnsafeMutablePointer<Word> {
        @inline(__always) get { words + 6 }
    }

    /// The largest value of a part returned so far. Any thread writes it, so it is not on the loop's cache line.
    private func returned(of part: Part) -> UnsafeMutablePointer<Word> { words + 8 + part.rawValue }

    // MARK: Loop thread

    /// Ends `part`, which began at `start`, and begins the `next` one.
    ///
    /// The sum comes first: a reader that sees it without the new state notices from the total.
    @inline(__always)
    func change(from part: Part, since start: UInt64, to next: Part, at now: UInt64) {
        let sum = sum(of: part)
        sum.pointee.store(sum.value &+ (now &- start), ordering: .releasing)
        state.pointee.store(now &<< Self.partBits | UInt64(next.rawValue), ordering: .releasing)
    }

    /// Sets the start of the current iteration; 0 when it has ended.
    @inline(__always)
    func setIteration(_ now: UInt64) { iteration.value = now }

    // MARK: Any thread

    /// The start of the current iteration; `nil` while the loop polls or does not run.
    var iterationStart: UInt64? {
        let start = iteration.value
        return start == 0 ? nil : start
    }

    /// Returns the sums up to this instant. No sum is ever less than in an earlier reading, on any thread.
    ///
    /// The current part counts up to now, except for overhead, because a dispatch may begin at the end of the one
    /// before it. If the loop's thread is preempted between reading the clock at the end of a part and storing it, that
    /// part reads too long by the delay until the thread has caught up.
    ///
    /// - Parameter pause: Called between any two words, for tests.
    func read(_ now: () -> UInt64, pause: () -> Void = {}) -> LoopTime {
        var sums = readSums(now, pause)
        // The loop's thread may have read the clock already, but not yet stored it: its part ended before now.
        for part in [Part.callbacks, .monitor, .poll, .overhead] {
            sums[part.rawValue] = returned(of: part).pointee.max(sums[part.rawValue], ordering: .relaxed).newValue
        }
        return LoopTime(
            callbackNanoseconds: sums[Part.callbacks.rawValue],
            monitorNanoseconds: sums[Part.monitor.rawValue],
            pollNanoseconds: sums[Part.poll.rawValue],
            overheadNanoseconds: sums[Part.overhead.rawValue]
        )
    }

    private func readSums(_ now: () -> UInt64, _ pause: () -> Void) -> [UInt64] {
        while true {
            let state = state.pointee.load(ordering: .acquiring)
            var sums = (0..<5).map { part in
                pause()
                return (words + part).pointee.load(ordering: .acquiring)
            }
            pause()
            let now = now()
            pause()
            // The clock must be read before the state is checked again.
            atomicMemoryFence(ordering: .sequentiallyConsistent)
            if self.state.pointee.load(ordering: .acquiring) != state { continue }
            let since = state >> Self.partBits
            let part = Int(state & (1 << Self.partBits - 1))
            // If the sums exceed the state's instant, the part has ended, and its time is in them.
            let isUnderWay = sums.reduce(0, &+) == since
            if isUnderWay && part != Part.overhead.rawValue && now > since { sums[part] += now - since }
            return sums
        }
    }
}
