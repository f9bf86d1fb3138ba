import Foundation
import MonitoredUV
import ProgramRunner
import Testing

/// A program in which all is stuck answers nevertheless, and was not changed for it: the environment alone asks.
@Suite struct StuckProgramTests {
    @Test func everythingIsStuck_andItAnswers() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let (socket, release) = (folder.appending(path: "app.sock").path, folder.appending(path: "release").path)
        let program = try #require(builtProgram("stuck"))
        let result = Lock<Result<ProgramResult, any Error>?>(nil)
        let ended = DispatchSemaphore(value: 0)
        Thread {
            // Its threads are still busy when it ends: what one has just allocated looks leaked.
            let environment = ["MONITOREDUV_DIAGNOSTICS": socket, "ASAN_OPTIONS": "detect_leaks=0"]
            let output = Result { try runProgram(program, [release], environment: environment) }
            result.withLock { $0 = output }
            ended.signal()
        }.start()
        defer { _ = FileManager.default.createFile(atPath: release, contents: nil) }
        while !FileManager.default.fileExists(atPath: socket), result.withLock({ $0 == nil }) { usleep(1000) }

        let caller = Caller(path: socket)
        let expected = ["\"server-1\"", "\"server-2\"", "\"NIO-ELT-", "\"swift-1\""]
        var stacks = ""
        while !expected.allSatisfy(stacks.contains) { stacks = try caller.call("/stacks").body }
        #expect(stacks.contains("stuck.waitForFile(_:)"))
        var stalls = ""
        while !expected.allSatisfy(stalls.contains) { stalls = try caller.call("/stalls").body }
        #expect(stalls.contains("GET /stuck") && stalls.contains("\"usleep\""))
        for path in ["/metrics", "/snapshot", "/trace", "/healthz"] {
            let answer = try caller.call(path)
            #expect(answer.status == 200 || path == "/healthz", "\(path)")
        }
        // Neither its thread nor its loop is among those that are watched.
        #expect(!stacks.contains("diagnostics"))

        #expect(FileManager.default.createFile(atPath: release, contents: nil))
        ended.wait()
        let output = try #require(result.withLock { $0 }).get()
        #expect(output.status == 0 && output.errors.isEmpty, "\(output.errors)")
        #expect(!FileManager.default.fileExists(atPath: socket))
    }

    @Test func environmentThatCannotBeServed_isAWarning() throws {
        let program = try #require(builtProgram("stuck"))
        for (place, why) in [
            ("nowhere", "it takes a port, an address with one, or the path of a socket"),
            ("/nowhere/app.sock", "ENOENT"), ("0.0.0.0:0", "needs a token"),
        ] {
            let environment = ["MONITOREDUV_DIAGNOSTICS": place]
            var output = try runProgram(program, ["/"], environment: environment)
            // It may have ended before it got so far.
            for _ in 0..<10 where !output.errors.contains(why) {
                output = try runProgram(program, ["/"], environment: environment)
            }
            #expect(output.status == 0 && output.errors.contains(why), "\(output.errors)")
        }
    }
}
