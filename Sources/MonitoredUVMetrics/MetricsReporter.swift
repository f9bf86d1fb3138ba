public import CoreMetrics
public import MonitoredUV

/// An actor that reports the process's loops to swift-metrics: counters and gauges under the names of the Prometheus
/// text, and the count and sum of each histogram.
///
/// ```swift
/// let reporter = MetricsReporter()
/// try await reporter.run(every: .seconds(10))
/// ```
///
/// Durations are in seconds. The name of the loop is the dimension `loop`.
public actor MetricsReporter {
    private let factory: any MetricsFactory
    private let loops: @Sendable () -> [Monitoring]
    private var counters: [Key: (counter: FloatingPointCounter, last: Double)] = [:]
    private var gauges: [Key: Gauge] = [:]

    /// The metrics of the report that is being made.
    private var reported: Set<Key> = []

    private struct Key: Hashable {
        let label: String
        let dimensions: [String]
    }

    /// Creates a reporter, which reports nothing until it is asked to.
    ///
    /// - Parameters:
    ///   - factory: The metrics factory; by default the process's.
    ///   - loops: Returns the loops to report; by default those that are open when it reports.
    public init(
        factory: any MetricsFactory = MetricsSystem.factory,
        loops: @escaping @Sendable () -> [Monitoring] = { Monitoring.all }
    ) {
        self.factory = factory
        self.loops = loops
    }

    /// Reports repeatedly, with a pause of `interval`, until the task is canceled.
    ///
    /// - Throws: `CancellationError` when the task is canceled.
    public func run(every interval: Duration) async throws {
        while true {
            report()
            try await Task.sleep(for: interval)
        }
    }

    /// Reports once: gauges with their current values, counters with their increase since the last report. The metrics of
    /// loops that have been closed since then are destroyed.
    public func report() {
        reported = []
        for snapshot in loops().map({ $0.snapshot() }) {
            let loop = [("loop", snapshot.loopNames.joined(separator: "+"))]
            for metric in LoopMetric.all {
                for (labels, value) in metric.samples(snapshot, 0) { record(metric, loop + labels, value) }
            }
        }
        for (key, entry) in counters where !reported.contains(key) {
            entry.counter.destroy()
            counters[key] = nil
        }
        for (key, gauge) in gauges where !reported.contains(key) {
            gauge.destroy()
            gauges[key] = nil
        }
    }

    private func record(_ metric: LoopMetric, _ dimensions: [(String, String)], _ value: LoopMetric.Value) {
        switch value {
        case .durations(let histogram):
            count(metric.name + "_count", dimensions, Double(histogram.count))
            count(metric.name + "_sum", dimensions, histogram.sum.seconds)
        case .count(let count): record(metric, dimensions, Double(count))
        case .number(let number): record(metric, dimensions, number)
        }
    }

    private func record(_ metric: LoopMetric, _ dimensions: [(String, String)], _ value: Double) {
        if metric.type == .counter { return count(metric.name, dimensions, value) }
        let key = key(metric.name, dimensions)
        let gauge = gauges[key] ?? Gauge(label: metric.name, dimensions: dimensions, factory: factory)
        gauges[key] = gauge
        gauge.record(value)
    }

    private func count(_ label: String, _ dimensions: [(String, String)], _ value: Double) {
        let key = key(label, dimensions)
        var entry =
            counters[key] ?? (FloatingPointCounter(label: label, dimensions: dimensions, factory: factory), 0)
        // A decrease means another loop of the same name, which has started over.
        entry.counter.increment(by: value < entry.last ? value : value - entry.last)
        entry.last = value
        counters[key] = entry
    }

    private func key(_ label: String, _ dimensions: [(String, String)]) -> Key {
        let key = Key(label: label, dimensions: dimensions.flatMap { [$0, $1] })
        reported.insert(key)
        return key
    }
}
