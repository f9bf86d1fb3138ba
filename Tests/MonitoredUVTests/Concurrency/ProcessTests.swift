import Foundation
import ProgramRunner
import Testing

@testable import MonitoredUV

/// Tests that take the whole process run in one of their own: the program `whereitran`.
@Suite struct ProcessTests {
    private struct Output {
        let status: Int32
        let errors: String
        let lines: [String: String]
        subscript(form: String) -> String? { lines[form] }
    }

    /// Off Swift's threads, for the wait blocks.
    private func program(_ arguments: String...) async throws -> Output {
        let output = Box<Output?>(nil)
        try await waitForThread { succeed { output.value = try launch(arguments) } }
        return try #require(output.value)
    }

    private func launch(_ arguments: [String]) throws -> Output {
        let path = try #require(builtProgram("whereitran"))
        let result = try runProgram(path, arguments)
        var lines: [String: String] = [:]
        for line in result.output.split(separator: "\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            if parts.count == 2 { lines[String(parts[0])] = parts[1].trimmingCharacters(in: .whitespaces) }
        }
        return Output(status: result.status, errors: result.errors, lines: lines)
    }

    private let structured = [
        "body", "nonisolated", "actor", "async let", "group", "AsyncStream", "sleep for", "sleep nanoseconds",
        "sleep until",
    ]
    private let unstructured = ["Task", "detached", "detached sleep"]
    private let main = ["MainActor.run", "MainActor class", "assumeIsolated", "DispatchQueue.main"]

    @Test func runKeepsWhatIsStructured_mainActorAndTheMainQueueRunOnItsMainThreadWithoutADeadlock()
        async throws
    {
        let output = try await program("run")
        #expect(output.status == 0)
        for form in structured { #expect(output[form] == "run", "\(form)") }
        for form in unstructured { #expect(output[form] == "-", "\(form)") }
        #if os(Linux)
            for form in main { #expect(output[form] == "run", "\(form)") }
        #endif
        #expect(output["cancelled sleep"] == "true")
    }

    #if os(Linux)
        @Test func aRunEnds_whateverItsBodyLeavesBehind() async throws {
            let output = try await program("leftBehind")
            #expect(output["ended"] == "yes")
            #expect(output.errors.contains("kept scheduling new work"))
        }
    #endif

    // The condition of `ProcessExecutors.areReplaceable`.
    #if RuntimeInterfaces && os(Linux) && compiler(>=6.3)
        @Test func runMainTakesEverythingToOneLoopOnOneThread() async throws {
            let output = try await program("runMain", "0")
            #expect(output.status == 0)
            #expect(output.errors == "")
            for form in structured + unstructured + main { #expect(output[form] == "main", "\(form)") }
            #expect(output["cancelled sleep"] == "true")
            // The main thread and the test's own for the AsyncStream, if it has not ended yet.
            #expect(output["threads"].flatMap { Int($0) }.map { $0 <= 2 } == true)
        }

        @Test func withWorkersMainActorStaysAndEverythingElseIsOnWorkers() async throws {
            let output = try await program("runMain", "2")
            #expect(output.status == 0)
            let workers: Set<Substring> = ["worker-1", "worker-2"]
            for form in structured + unstructured {
                #expect(output[form].map { workers.isSuperset(of: $0.split(separator: ",")) } == true, "\(form)")
            }
            for form in main { #expect(output[form] == "main", "\(form)") }
            #expect(output["threads"].flatMap { Int($0) }.map { $0 <= 4 } == true)
        }

        @Test func everyWorkerIsMonitored() async throws {
            let output = try await program("dispatches", "2")
            #expect(output.status == 0)
            let counts = ["main", "worker-1", "worker-2"].map { output["jobs on \($0)"].flatMap { Int($0) } ?? 0 }
            #expect(counts[0] > 0)
            #expect(counts[1] + counts[2] >= 30)
            let alone = try await program("dispatches", "0")
            #expect(alone["jobs on main"].flatMap { Int($0) }.map { $0 >= 30 } == true)
        }

        @Test func aWorkerThatIsBusyForLongKeepsNoJobWaiting() async throws {
            let output = try await program("stuckWorker")
            #expect(output.status == 0)
            #expect(output["done"] == "100")
        }

        @Test func aWorkersOwnJobsDoNotKeepThePoolsWaiting() async throws {
            #expect(try await program("fairPool")["done"] == "1")
        }

        @Test func sleepersWakeWhileAWorkerIsBusy() async throws {
            #expect(try await program("sleepers")["done"] == "8")
        }

        @Test func theMainQueueRuns_beforeTheLoopHasRunAJob() async throws {
            #expect(try await program("mainQueue")["queue"] == "main")
            #expect(try await program("plainLoop")["queue"] == "plain, MainActor: plain")
        }

        @Test(arguments: [
            ("runAfter", "Call runMain again instead"), ("nested", "from a callback of UVEventLoop 'outer'"),
            ("mainQueueBlock", "from a block of DispatchQueue.main"),
        ])
        func aRunThatWouldDeadlockTrapsWithAdvice(mode: String, advice: String) async throws {
            let output = try await program(mode)
            #expect(output.status != 0)
            #expect(output.errors.contains(advice))
        }

        @Test func runMainCanBeCalledAgain_butNotWithOtherWorkers() async throws {
            let output = try await program("twice")
            #expect(output.status == 0)
            #expect(output["sum"] == "42")
            #expect(output["third"]?.contains("runs with 0 workers already") == true)
            #expect(output["close"]?.contains("runs the whole process since runMain") == true)
        }

        @Test func runMainTakesOverAlsoAfterTasksRanElsewhere() async throws {
            let output = try await program("late")
            #expect(output.status == 0)
            #expect(output["early"] != nil)
            for form in structured + unstructured + main { #expect(output[form] == "main", "\(form)") }
        }

        @Test func whatTheBodyThrowsComesOutOfRunMain() async throws {
            #expect(try await program("throws")["thrown"] == "CancellationError()")
            #expect(try await program("negative")["thrown"]?.contains("workers: -1 is negative") == true)
        }
    #endif

    @Test func runMainFromATaskIsRefusedWithWhatToWriteInstead() async throws {
        let output = try await program("inside")
        #expect(output.status != 0)
        #expect(output.errors.contains("Call it from a synchronous main, one without 'async'"))
    }
}
