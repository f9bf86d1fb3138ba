import Synchronization

/// The statistics of a loop's dispatches and iterations, from level ``MonitoringLevel/metrics`` up. Created when the
/// loop first reaches that level. About 3.6 MiB, of which only the pages in use exist.
///
/// The loop's thread writes; any thread reads, without a lock.
final class LoopMetrics: @unchecked Sendable {
    // `@unchecked Sendable`: only the loop's thread uses what is not atomic, as marked.

    private static let kinds = CallbackKind.limit
    private static let sources = LagSource.limit
    private static let stride = HistogramStorage.wordCount(.fine)

    /// Wall times by kind, lags by source, then iterations and poll delays.
    private let histograms = Words.allocateZeroed((kinds + sources + 2) * stride)
    private let names: NameTable
    let ring: FlightRing

    /// The number of the first dispatch of the current iteration.
    private let firstOfIteration = Word(0)

    // The smoothed lag, and the instant that it is for.
    private let smoothed = Word(0)
    private let smoothedAt = Word(0)

    // MARK: Loop thread

    @exclusivity(unchecked) private var blame = BlameLedger()
    /// The end of the last dispatch.
    @exclusivity(unchecked) private var lastEnd: UInt64 = 0
    @exclusivity(unchecked) private var lag: SmoothedLag
    /// The lags of this iteration.
    @exclusivity(unchecked) private var lagSum: UInt64 = 0
    @exclusivity(unchecked) private var lagCount: UInt64 = 0

    init(_ options: MonitoringOptions, at now: UInt64) {
        names = NameTable(capacity: options.nameLimit)
        ring = FlightRing(capacity: options.recordedDispatches)
        lag = SmoothedLag(at: now)
        publish()
    }

    deinit { histograms.deallocate() }

    @inline(__always)
    private func histogram(_ number: Int) -> HistogramStorage {
        HistogramStorage(histograms + number &* Self.stride, .fine)
    }

    /// Records that a dispatch ended.
    @inline(__always)
    func record(
        _ kind: CallbackKind,
        _ name: CallbackName,
        start: UInt64,
        wall: UInt64,
        lag: DispatchLag,
        _ probablyReady: @autoclosure () -> UInt64
    ) {
        let bin = LogLinearBins.fine.index(of: wall)
        histogram(Int(kind.number)).record(wall, in: bin)
        names.record(name, wall, fine: bin)
        if lag.precision != .notApplicable {
            recordLag(lag.source, lag.upper)
            // For a range, uses the likely instant: the upper bound would blame the dispatch before every reply of a
            // peer.
            let ready = lag.precision == .exact ? start &- lag.upper : probablyReady()
            if ready < lastEnd { blame.add(ring.count, readySince: ready, ring, names) }
        }
        lastEnd = start &+ wall
        ring.append(kind, name, start, wall, lag)
    }

    /// Records how long something had been ready.
    @inline(__always)
    func recordLag(_ source: LagSource, _ lag: UInt64) {
        histogram(Self.kinds &+ Int(source.number)).record(lag)
        lagSum &+= lag
        lagCount &+= 1
    }

    /// Ends an iteration, which lasts from the return of one poll to the start of the next. Returns the smoothed lag.
    @inline(never)
    func endIteration(from start: UInt64, at now: UInt64) -> Double {
        histogram(Self.kinds &+ Self.sources).record(now &- start)
        let mean = lagCount == 0 ? 0 : Double(signed: lagSum) / Double(signed: lagCount)
        lag.add(mean, from: start, until: now)
        lagSum = 0
        lagCount = 0
        publish()
        settle()
        return lag.value
    }

    /// Charges all waits so far, at the end of an iteration or a run.
    @inline(__always)
    func settle() {
        firstOfIteration.store(ring.count, ordering: .relaxed)
        blame.settle(ring, names)
    }

    /// Records how far past its timeout a poll returned.
    func endPoll(delay: UInt64) { histogram(Self.kinds + Self.sources + 1).record(delay) }

    @inline(__always)
    private func publish() {
        smoothed.store(lag.value.bitPattern, ordering: .relaxed)
        smoothedAt.store(lag.at, ordering: .relaxed)
    }

    // MARK: Any thread

    func wallTime(_ kind: CallbackKind) -> DurationHistogram { histogram(Int(kind.number)).read() }
    func lag(_ source: LagSource) -> DurationHistogram { histogram(Self.kinds + Int(source.number)).read() }
    var iterations: DurationHistogram { histogram(Self.kinds + Self.sources).read() }
    var pollDelays: DurationHistogram { histogram(Self.kinds + Self.sources + 1).read() }
    /// The number of dispatches that have ended in this iteration.
    var dispatchesOfIteration: Int {
        let (first, count) = (firstOfIteration.load(ordering: .relaxed), ring.count)
        return count > first ? Int(count - first) : 0
    }

    func readNames() -> [NameStatistics] { names.read() }

    /// The smoothed lag as of the last iteration.
    var smoothedLag: SmoothedLag {
        SmoothedLag(
            Double(bitPattern: smoothed.load(ordering: .relaxed)),
            at: smoothedAt.load(ordering: .relaxed)
        )
    }
}
