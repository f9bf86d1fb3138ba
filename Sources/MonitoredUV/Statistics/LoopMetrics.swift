import Synchronization

/// The statistics of a loop's dispatches and iterations from level ``MonitoringLevel/metrics`` on: made when the loop
/// first gets there, about 3 MiB, of which those pages exist that are used.
///
/// The loop's thread writes; any thread reads, without a lock.
final class LoopMetrics: @unchecked Sendable {
    // `@unchecked Sendable`: what is not atomic is marked as the loop thread's alone.

    private static let kinds = CallbackKind.limit
    private static let sources = LagSource.limit
    private static let stride = HistogramStorage.wordCount(.fine)

    /// Wall times by kind, lags by source, then iterations and poll delays.
    private let histograms = Words.allocateZeroed((kinds + sources + 2) * stride)
    private let names: NameTable
    let ring: FlightRing

    /// The number of the first dispatch of the iteration that is going on.
    private let firstOfIteration = Word(0)

    // The smoothed lag, and until when it counts.
    private let smoothed = Word(0)
    private let smoothedAt = Word(0)

    // MARK: Loop thread

    @exclusivity(unchecked) private var blame = BlameLedger()
    /// When the last dispatch ended.
    @exclusivity(unchecked) private var lastEnd: UInt64 = 0
    @exclusivity(unchecked) private var lag: SmoothedLag
    /// Of this iteration.
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

    /// A dispatch has ended.
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
            histogram(Self.kinds &+ Int(lag.source.number)).record(lag.upper)
            lagSum &+= lag.upper
            lagCount &+= 1
            // Of a range, what is likely: the upper bound would blame the dispatch before every answer of a peer.
            let ready = lag.precision == .exact ? start &- lag.upper : probablyReady()
            if ready < lastEnd { blame.add(ring.count, readySince: ready, ring, names) }
        }
        lastEnd = start &+ wall
        ring.append(kind, name, start, wall, lag)
    }

    /// An iteration ends with the way into the poll; it began when the last poll returned. Gives the smoothed lag.
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

    /// Charges all that waited so far: an iteration or a run ends.
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

    /// As of the last iteration.
    var smoothedLag: SmoothedLag {
        SmoothedLag(
            Double(bitPattern: smoothed.load(ordering: .relaxed)),
            at: smoothedAt.load(ordering: .relaxed)
        )
    }
}
