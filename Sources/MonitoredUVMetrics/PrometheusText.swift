public import MonitoredUV

extension LoopSnapshot {
    /// Options for what to export besides the figures of whole loops.
    public struct PrometheusOptions: Sendable {
        /// The number of names to export, heaviest first, each with its count, time, and blame, under the label `name`.
        /// By default none, because each is a time series of its own.
        public var names = 0

        /// Creates options.
        ///
        /// - Parameter names: The number of names to export, heaviest first.
        public init(names: Int = 0) { self.names = names }
    }

    /// Returns snapshots of loops in Prometheus' text format, version 0.0.4: the response of an HTTP server to
    /// `GET /metrics`, with `Content-Type: text/plain; version=0.0.4`.
    ///
    /// Durations are in seconds. The histograms' buckets are powers of two of nanoseconds, from 8 us to 17 s, at which
    /// the counts are exact. Each snapshot should be of one loop, whose name is the label `loop`. Of a loop that was never
    /// monitored, only what it holds is exported.
    public static func prometheusText(
        _ snapshots: [LoopSnapshot],
        options: PrometheusOptions = PrometheusOptions()
    ) -> String {
        PrometheusText.text(of: snapshots, options.names, isOpenMetrics: false)
    }

    /// Returns snapshots of loops in the format of OpenMetrics, version 1.0.0, with `Content-Type:
    /// application/openmetrics-text; version=1.0.0; charset=utf-8`: for clients whose `Accept` header names it. Otherwise
    /// like ``prometheusText(_:options:)``.
    public static func openMetricsText(
        _ snapshots: [LoopSnapshot],
        options: PrometheusOptions = PrometheusOptions()
    ) -> String {
        PrometheusText.text(of: snapshots, options.names, isOpenMetrics: true)
    }
}

/// A builder of the format's lines.
struct PrometheusText {
    private(set) var text = ""
    private let isOpenMetrics: Bool

    static func text(of snapshots: [LoopSnapshot], _ names: Int, isOpenMetrics: Bool) -> String {
        var text = PrometheusText(isOpenMetrics: isOpenMetrics)
        for metric in LoopMetric.all {
            text.begin(metric.name, metric.help, metric.type)
            for snapshot in snapshots where metric.isKnownAtEveryLevel || snapshot.time.elapsed > .zero {
                let loop = [("loop", snapshot.loopNames.joined(separator: "+"))]
                for (labels, value) in metric.samples(snapshot, names) {
                    text.sample(metric.name, loop + labels, value)
                }
            }
        }
        return isOpenMetrics ? text.text + "# EOF\n" : text.text
    }

    private init(isOpenMetrics: Bool) { self.isOpenMetrics = isOpenMetrics }

    private mutating func begin(_ name: String, _ help: String, _ type: LoopMetric.Kind) {
        // In OpenMetrics, the suffix belongs to the sample of a counter, not to its name.
        let isCounter = isOpenMetrics && type == .counter
        let name = isCounter ? String(name.dropLast("_total".count)) : name
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
    }

    private mutating func sample(_ name: String, _ labels: [(String, String)], _ value: LoopMetric.Value) {
        switch value {
        case .number(let number): line(name, labels, number)
        case .count(let count): line(name, labels, count)
        case .durations(let histogram): durations(name, labels, histogram)
        }
    }

    /// 2^13 ns is 8 us, 2^34 ns is 17 s.
    private static let bounds = (13...34).map { Int64(1) << $0 }

    private mutating func durations(_ name: String, _ labels: [(String, String)], _ histogram: DurationHistogram) {
        for bound in Self.bounds {
            let count = histogram.count(below: .nanoseconds(bound))
            line("\(name)_bucket", labels + [("le", "\(Double(bound) / 1e9)")], count)
        }
        line("\(name)_bucket", labels + [("le", "+Inf")], histogram.count)
        line("\(name)_sum", labels, histogram.sum.seconds)
        line("\(name)_count", labels, histogram.count)
    }

    private mutating func line(_ name: String, _ labels: [(String, String)], _ value: some CustomStringConvertible) {
        let pairs = labels.map { "\($0)=\"\(Self.escaped($1))\"" }.joined(separator: ",")
        text += "\(name){\(pairs)} \(value)\n"
    }

    static func escaped(_ value: String) -> String {
        value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    }
}

extension Duration {
    var seconds: Double { self / .seconds(1) }
}
