import MetricsTestKit
import MonitoredUV
import Testing

@testable import MonitoredUVMetrics

struct MetricsReporterTests {
    @Test func countersAreToldByWhatWasAdded_gaugesAsTheyAre() async throws {
        let loop = try UVEventLoop(name: "reported")
        loop.monitoring.level = .metrics
        try loop.run(.noWait)
        let metrics = TestMetrics()
        let monitoring = loop.monitoring
        let reporter = MetricsReporter(factory: metrics) { [monitoring] }
        for posts in [3, 4] {
            for _ in 0..<posts { loop.callSoon {} }
            try loop.run()
            await reporter.report()
        }
        let dimensions = [("loop", "reported"), ("source", "local")]
        let enqueues = try metrics.expectCounter("uv_enqueues_total", dimensions)
        #expect(enqueues.values == [3, 4])
        let queue = try metrics.expectGauge("uv_queue_length", [("loop", "reported")])
        #expect(queue.values == [0, 0])
        let calls = try metrics.expectCounter(
            "uv_callback_duration_seconds_count",
            [("loop", "reported"), ("kind", "posted")]
        )
        #expect(calls.totalValue == 7)
        try loop.close()
    }

    @Test func metricsOfAClosedLoop_areDestroyed() async throws {
        let loop = try UVEventLoop(name: "destroyed")
        loop.monitoring.level = .metrics
        loop.callSoon {}
        try loop.run()
        let metrics = TestMetrics()
        let open = Lock([loop.monitoring])
        let reporter = MetricsReporter(factory: metrics) { open.withLock { $0 } }
        await reporter.report()
        #expect(!metrics.counters.isEmpty && !metrics.recorders.isEmpty)
        open.withLock { $0 = [] }
        await reporter.report()
        #expect(metrics.counters.isEmpty && metrics.recorders.isEmpty)
        try loop.close()
    }

    @Test func loopsThatAreOpen_areFound() throws {
        let loop = try UVEventLoop(name: "to be found")
        #expect(Monitoring.all.contains { $0.loopName == "to be found" })
        try loop.close()
        #expect(!Monitoring.all.contains { $0.loopName == "to be found" })
    }
}
