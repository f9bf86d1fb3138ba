import Foundation
import Logging
import Testing

@testable import MonitoredUV

struct SlowCallbackLogTests {
    /// Keeps what is logged.
    private struct Handler: LogHandler {
        let lines: Lock<[String]>
        let events: Lock<[Logger.Metadata]>
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            lines.withLock { $0.append("\(event.level) \(event.message) loop=\(event.metadata?["loop"] ?? "")") }
            events.withLock { $0.append(event.metadata ?? [:]) }
        }
    }

    private func logged(_ body: (UVEventLoop, Logger) throws -> Void) throws -> [String] {
        let lines = Lock<[String]>([])
        let events = Lock<[Logger.Metadata]>([])
        try withLoop { loop in try body(loop, Logger(label: "test") { _ in Handler(lines: lines, events: events) }) }
        WatchdogThread.shared.look()
        WatchdogThread.shared.flushReports()
        metadata.value = events.withLock { $0 }
        return lines.withLock { $0 }
    }

    /// The metadata of the lines.
    private let metadata = Box<[Logger.Metadata]>([])

    @Test func slowCallbacks_areLogged_andOthersAreNot() throws {
        let lines = try logged { loop, logger in
            loop.monitoring.logSlowCallbacks(over: .milliseconds(200), logger: logger)
            loop.callSoon(name: "quick") {}
            loop.callSoon(name: "slow") { spin(.milliseconds(210)) }
            try loop.run()
        }
        #expect(lines.count == 1)
        #expect(lines.first?.hasPrefix("warning slow (posted) took 2") == true)
        #expect(lines.first?.contains(" ms on loop-") == true)
        #expect(lines.first?.contains(", limit 200 ms loop=loop-") == true)
    }

    @Test func watchdogsReport_isALine_andItsPartsAreMetadata() throws {
        let lines = try logged { loop, logger in
            loop.monitoring.startWatchdog(limit: .milliseconds(50), logger: logger)
            loop.callSoon(name: "sleepy") { usleep(200_000) }
            try loop.run()
        }
        // A busy machine may make an iteration too long as well.
        let line = try #require(lines.first { $0.contains(" was stuck for ") && $0.contains(" in sleepy (posted)") })
        #expect(!line.contains("\n"))
        let index = try #require(lines.firstIndex(of: line))
        let parts = metadata.value[index]
        #expect(parts["callback"] == "sleepy")
        #expect(parts["kind"] == "posted")
        #expect(parts["limit"] == "50 ms")
        #expect("\(parts["duration"] ?? "")".hasSuffix(" ms"))
        #expect(parts["cause"] == "wait")
        if isThreadSanitized { return }
        #expect(parts["call"] == "usleep")
        #expect("\(parts["function"] ?? "")".contains("watchdogsReport_isALine"))
        if case .array(let stack)? = parts["stack"] { #expect(stack.count >= 2) } else { Issue.record("\(parts)") }
    }

    @Test func slowIterations_areLogged() throws {
        let lines = try logged { loop, logger in
            loop.monitoring.logSlowCallbacks(over: .milliseconds(200), logger: logger)
            for _ in 0..<50 { loop.callSoon(name: "many") { spin(.milliseconds(5)) } }
            try loop.run()
        }
        #expect(lines.count == 1)
        #expect(lines.first?.hasPrefix("warning an iteration of 50 dispatches took ") == true, "\(lines)")
        #expect(lines.first?.contains(", the largest share in many (posted) loop=loop-") == true)
    }

    @Test func moreThan60AMinute_areCounted() throws {
        let lines = try logged { loop, logger in
            loop.monitoring.logSlowCallbacks(over: .nanoseconds(1), logger: logger)
            for _ in 0..<100 { loop.callSoon(name: "slow") { spin(.microseconds(1)) } }
            try loop.run()
            #expect(loop.monitoring.level == .metrics)
        }
        #expect(lines.count == 60)
    }

    @Test func log_canBeEnded() throws {
        let lines = try logged { loop, logger in
            loop.monitoring.logSlowCallbacks(over: .nanoseconds(1), logger: logger).cancel()
            loop.callSoon(name: "slow") { spin(.milliseconds(1)) }
            try loop.run()
        }
        #expect(lines == [])
    }
}
