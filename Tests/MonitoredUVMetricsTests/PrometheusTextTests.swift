import Foundation
import MonitoredUV
import Testing

@testable import MonitoredUVMetrics

/// One after the other, for their loops are all called "test".
@Suite(.serialized) struct PrometheusTextTests {
    /// A loop that has run the given number of closures and a timer.
    private func snapshot(name: String = "test", posts: Int = 3) throws -> LoopSnapshot {
        let loop = try UVEventLoop(name: name)
        loop.monitoring.level = .metrics
        try loop.run(.noWait)
        for _ in 0..<posts { loop.callSoon(name: "posted") {} }
        loop.callLater(.milliseconds(2), name: "tick") {}
        try loop.run()
        defer { try? loop.close() }
        return loop.monitoring.snapshot()
    }

    private func value(_ line: String, in text: String) -> Double? {
        text.split(separator: "\n").first { $0.hasPrefix(line + " ") }.flatMap { Double($0.dropFirst(line.count + 1)) }
    }

    @Test func everyMetric_hasItsHeaderOnce_andItsUnits() throws {
        let text = LoopSnapshot.prometheusText([try snapshot(name: "one"), try snapshot(name: "other")])
        for metric in LoopMetric.all {
            #expect(text.components(separatedBy: "# TYPE \(metric.name) \(metric.type)\n").count == 2)
            #expect(text.components(separatedBy: "# HELP \(metric.name) ").count == 2)
            #expect((metric.type == .counter) == metric.name.hasSuffix("_total"))
        }
        #expect(text.hasSuffix("\n"))
        #expect(value(#"uv_loop_iterations_total{loop="one"}"#, in: text) ?? 0 > 0)
        #expect(value(#"uv_loop_iterations_total{loop="other"}"#, in: text) ?? 0 > 0)
    }

    @Test func openMetrics_differInTheNamesOfCounters_andHaveAnEnd() throws {
        let snapshots = [try snapshot()]
        let open = LoopSnapshot.openMetricsText(snapshots, options: .init(names: 5)).split(separator: "\n")
        let plain = LoopSnapshot.prometheusText(snapshots, options: .init(names: 5)).split(separator: "\n")
        #expect(open.last == "# EOF")
        #expect(open.filter { $0 == "# EOF" }.count == 1)
        #expect(open.contains("# TYPE uv_loop_iterations counter"))
        // All samples are those of the other format.
        #expect(open.dropLast().filter { !$0.hasPrefix("#") } == plain.filter { !$0.hasPrefix("#") })
        #expect(!open.contains { $0.hasPrefix("# TYPE") && $0.hasSuffix("_total counter") })
    }

    @Test func histograms_areCumulative_andEndWithAll() throws {
        let text = LoopSnapshot.prometheusText([try snapshot(posts: 100)])
        let buckets = text.split(separator: "\n").filter {
            $0.hasPrefix(#"uv_callback_duration_seconds_bucket{loop="test",kind="posted""#)
        }
        let counts = buckets.compactMap { $0.split(separator: " ").last.flatMap { Int($0) } }
        #expect(counts.count == 23)
        #expect(counts == counts.sorted())
        #expect(counts.last == 100)
        #expect(buckets.first?.contains(#"le="8.192e-06""#) == true)
        #expect(buckets.last?.contains(#"le="+Inf""#) == true)
        #expect(value(#"uv_callback_duration_seconds_count{loop="test",kind="posted"}"#, in: text) == 100)
        #expect(value(#"uv_callback_duration_seconds_count{loop="test",kind="timer"}"#, in: text) == 1)
        #expect(value(#"uv_schedule_duration_seconds_count{loop="test",source="local"}"#, in: text) == 100)
        #expect(value(#"uv_enqueues_total{loop="test",source="local"}"#, in: text) == 100)
    }

    @Test func names_areOptIn_andBounded() throws {
        let snapshot = try snapshot()
        #expect(!LoopSnapshot.prometheusText([snapshot]).contains("tick"))
        let one = LoopSnapshot.prometheusText([snapshot], options: .init(names: 1))
        #expect(one.components(separatedBy: "uv_callback_name_total{").count == 2)
        let all = LoopSnapshot.prometheusText([snapshot], options: .init(names: 50))
        #expect(value(#"uv_callback_name_total{loop="test",name="tick"}"#, in: all) == 1)
        #expect(value(#"uv_callback_name_total{loop="test",name="posted"}"#, in: all) == 3)
    }

    @Test func labels_areEscaped() {
        #expect(PrometheusText.escaped("a\"b\\c\nd") == #"a\"b\\c\nd"#)
    }

    @Test func timeByState_addsUpToTheLoopsTime() throws {
        let snapshot = try snapshot()
        let text = LoopSnapshot.prometheusText([snapshot])
        let states = ["active", "idle", "monitor"].compactMap {
            value("uv_loop_time_seconds_total{loop=\"test\",state=\"\($0)\"}", in: text)
        }
        #expect(states.count == 3)
        #expect(abs(states.reduce(0, +) - snapshot.time.elapsed / .seconds(1)) < 1e-9)
    }

    /// Counters whose rate is the share of time in what is longer than a limit.
    @Test func timeOverALimit_isACounterForEachLimit() throws {
        let loop = try UVEventLoop(name: "shares")
        loop.monitoring.level = .metrics
        loop.callSoon {
            let end = ContinuousClock.now + .milliseconds(30)
            while ContinuousClock.now < end {}
        }
        loop.callSoon {}
        try loop.run()
        let text = LoopSnapshot.prometheusText([loop.monitoring.snapshot()])
        try loop.close()
        let over = { (limit: String) in
            value(#"uv_loop_iteration_time_seconds_total{loop="shares",over="\#(limit)"}"#, in: text)
        }
        #expect(try #require(over("0.01")) >= 0.029)
        #expect(try #require(over("0.001")) >= over("0.01")!)
        #expect(try #require(over("0.1")) <= over("0.01")!)
        let waited = value(#"uv_schedule_time_seconds_total{loop="shares",source="local",over="0.01"}"#, in: text)
        #expect(try #require(waited) >= 0.029)
    }
}
