import Foundation
import NIOMonitoring
import ProgramRunner
import Testing

/// Tests that take a whole process run in one of their own: the program `nioloops`, which is linked with NIOMonitoring.
@Suite struct NIOProgramTests {
    /// Off Swift's threads, for the wait blocks.
    private func run(_ argument: String, environment: [String: String] = [:]) async throws -> ProgramResult {
        let path = try #require(builtProgram("nioloops"))
        // Other threads are still busy when the program ends: what one has just allocated looks leaked.
        let environment = environment.merging(["ASAN_OPTIONS": "detect_leaks=0"]) { $1 }
        return try await withCheckedThrowingContinuation { waiter in
            Thread {
                waiter.resume(with: Result { try runProgram(path, [argument], environment: environment) })
            }.start()
        }
    }

    @Test func environment_watchesLoops_withoutALineOfCode() async throws {
        let expected = [
            "NIO-SGLTN", "has been stuck for", "nioloops.blockForAWhile()", "blocked in usleep", "was stuck for",
        ]
        var errors = ""
        // On a busy machine, the watchdog may come too late.
        for _ in 0..<5 where !expected.allSatisfy(errors.contains) {
            let watched = try await run("plain", environment: ["MONITOREDUV_STALL_LIMIT": "20ms"])
            #expect(watched.status == 0)
            #expect(watched.output == "blocked\n")
            errors = watched.errors
        }
        for part in expected { #expect(errors.contains(part), "\(errors)") }
        let plain = try await run("plain")
        #expect(plain.output == "blocked\n" && plain.errors.isEmpty)
    }

    /// Jobs that SwiftNIO has taken pass through its loops, and are seen all the same.
    @Test(arguments: [("SwiftNIO takes the jobs first", "true"), ("SwiftNIO takes the jobs last", "false")])
    func jobs_areSeen_beside(_ order: String, taken: String) async throws {
        let result = try await run(order)
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.output == "taken: \(taken)\nseen: 200\n")
    }

    @Test func taskThatReadsAChannel_isReportedWhileItBlocks() async throws {
        var result = try await run("async channel")
        // On a busy machine, the thread may not have the processor that it wants to begin to wait.
        for _ in 0..<4 where !result.output.contains(" wait\n") { result = try await run("async channel") }
        #expect(result.status == 0, "\(result.errors)")
        #expect(result.output == "true job nioloops.waitUntilReported(_:) wait\nduration: true\n")
    }

    @Test func copyOfTheProcess_pollsUnwatched() async throws {
        let result = try await run("fork")
        #expect(result.output == "copy: true\nloops: true\n", "\(result.errors)")
    }
}
