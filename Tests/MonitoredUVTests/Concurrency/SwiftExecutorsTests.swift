import Foundation
import ProgramRunner
import Testing

@testable import MonitoredUV

/// Monitoring of Swift's own executors takes the whole process: the program `executors`, whose main is async.
@Suite(.enabled(if: ProcessExecutors.areReplaceable)) struct SwiftExecutorsTests {
    private func output(_ mode: String) async throws -> [(name: String, value: String)] {
        let result = Box<ProgramResult?>(nil)
        // Swift's threads are still busy when the program ends: what one has just allocated looks leaked.
        let environment = ["ASAN_OPTIONS": "detect_leaks=0"]
        try await waitForThread {
            succeed {
                let path = try #require(builtProgram("executors"))
                result.value = try runProgram(path, [mode], environment: environment)
            }
        }
        let program = try #require(result.value)
        #expect(program.status == 0 && program.errors.isEmpty, "\(program.errors)")
        return program.output.split(separator: "\n").map { line in
            let parts = line.split(separator: ":", maxSplits: 1)
            return (String(parts[0]), parts.count == 2 ? parts[1].trimmingCharacters(in: .whitespaces) : "")
        }
    }

    private let ways = [
        "Task", "detached", "nonisolated, from MainActor", "after yield", "after sleep for", "after sleep until",
        "after sleep nanoseconds", "async let", "group", "actor", "contended actor", "Task of an actor", "MainActor",
        "globalConcurrentExecutor", "continuation from a queue", "AsyncStream from a thread", "priority 25",
        "priority 21", "priority 17", "priority 9", "MainActor after sleep",
    ]

    @Test func jobs_areDispatches_howeverTheyCome_andNothingElseChanges() async throws {
        let (stock, seen) = (try await output("stock"), Dictionary(uniqueKeysWithValues: try await output("monitored")))
        for way in ways { #expect(seen[way] == "true", "\(way)") }
        // Priorities, threads, and isolation are those of the program without it.
        let others = stock.filter { !ways.contains($0.name) && $0.name != "loops" }
        #expect(others.count >= 7)
        for (name, value) in others { #expect(seen[name] == value, "\(name)") }
        let loops = try #require(seen["loops"]).split(separator: " ")
        #expect(loops.contains("main"))
        #expect(loops.contains("swift-1"))
        #expect(Int(try #require(seen["dispatches"]))! > 300)
        #expect(seen["jobs"] == "true")
        #expect(seen["lags"] == seen["dispatches"])
        let names = try #require(seen["names"])
        for name in ["actor executors.Counter", "executors.Counter.isSeenLater()"] { #expect(names.contains(name)) }
    }

    @Test func canceledSubscription_leavesNothingSeen() async throws {
        let seen = Dictionary(uniqueKeysWithValues: try await output("off"))
        for way in ways { #expect(seen[way] == "false", "\(way)") }
        #expect(seen["dispatches"] == "0")
    }

    /// Another thread takes over the recorder of one that ended, and neither looks stuck.
    @Test func threadThatEnds_isNoStall() async throws {
        let seen = try await output("idle")
        #expect(seen.map(\.name) == ["jobs", "threads"], "\(seen)")
        for (name, value) in seen { #expect(value == "true", "\(name)") }
    }

    @Test func stall_isReportedWhileItLasts_withThreadAndFunction() async throws {
        var reports = try await output("stalls")
        // On a busy machine, a thread may not have the processor that it wants to begin to wait.
        for _ in 0..<4 where !reports.allSatisfy({ $0.value.hasSuffix("true") }) {
            reports = try await output("stalls")
        }
        try #require(reports.count == 3)
        #expect(reports.map { $0.name.hasPrefix("swift-") } == [true, false, true])
        #expect(reports[1].name == "main")
        #expect(reports[2].value.hasPrefix("named, "))
        for report in reports { #expect(report.value.hasSuffix("executors.waitUntilReported(_:), true")) }
    }
}
