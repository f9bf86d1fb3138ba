import Foundation
import Testing

@testable import MonitoredUV

struct MonitoringEnvironmentTests {
    private func environment(_ variables: [String: String]) -> MonitoringEnvironment {
        MonitoringEnvironment { variables[$0] }
    }

    /// Whatever is in them, each is taken or told, and nothing traps.
    @Test func randomValues_areTakenOrTold() {
        let pieces = [
            "", "0", "1", "-", "9999999999999999999", "0.", "1e308", "nan", "inf", "ms", "s", "us", "USR1", "SIG",
            "off",
            "metrics", ",", " ", "\u{0}", "\u{1b}", "é", "0x10", "1e-320", "/", "/tmp", "%s",
        ]
        var random = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            let text = (0..<Int.random(in: 0...4, using: &random)).map { _ in pieces.randomElement(using: &random)! }
                .joined()
            let parsed = MonitoringEnvironment { _ in text }
            #expect(parsed.stallLimit.map { $0 >= .milliseconds(1) } ?? true)
            #expect(parsed.names.map { (1...4096).contains($0) } ?? true)
            #expect(parsed.recordedDispatches.map { (1...1 << 24).contains($0) } ?? true)
            let isTaken = [
                parsed.stallLimit != nil, parsed.slowCallbacks != nil, parsed.snapshotSignal != nil,
                parsed.traceSignal != nil, parsed.traceDirectory != nil, parsed.names != nil,
                parsed.recordedDispatches != nil, parsed.diagnostics != nil,
                MonitoringLevel.allCases.contains { "\($0)" == text },
            ]
            #expect(isTaken.count { $0 } + parsed.problems.count == (text.isEmpty ? 0 : isTaken.count))
        }
    }

    @Test func namesThatAreNone_areTold() {
        let names = ["PATH", "MONITOREDUV_LEVEL", "MONITOREDUV_LEVL", "MONITOREDUV_", "XMONITOREDUV_NAMES"]
        let problems = MonitoringEnvironment.problems(ofNames: names)
        #expect(problems.count == 2)
        #expect(problems[0].hasPrefix("MONITOREDUV_ is unknown and ignored; the variables are MONITOREDUV_LEVEL, "))
        #expect(problems[1].hasPrefix("MONITOREDUV_LEVL is unknown and ignored; the variables are MONITOREDUV_LEVEL, "))
    }

    @Test func aVariableThatIsMisspelt_isTold_withTheFirstLoop() async {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            setenv("MONITOREDUV_STALLLIMIT", "100ms", 1)
            try UVEventLoop().close()
        }
        let output = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(output.contains("warning: MONITOREDUV_STALLLIMIT is unknown and ignored; the variables are MON"))
    }

    @Test func nothing_asksForNothing() {
        let environment = environment([:])
        #expect(environment.level == .off)
        #expect(environment.stallLimit == nil && environment.slowCallbacks == nil)
        #expect(environment.snapshotSignal == nil && environment.traceSignal == nil)
        #expect(environment.problems == [])
    }

    @Test func variables_areRead() {
        let environment = environment([
            "MONITOREDUV_LEVEL": "callbacks", "MONITOREDUV_STALL_LIMIT": "0.25s", "MONITOREDUV_SLOW_CALLBACKS": "500us",
            "MONITOREDUV_SNAPSHOT_SIGNAL": "USR1", "MONITOREDUV_TRACE_SIGNAL": "SIGUSR2",
            "MONITOREDUV_TRACE_DIRECTORY": "/tmp", "MONITOREDUV_NAMES": "64",
            "MONITOREDUV_RECORDED_DISPATCHES": "100000",
        ])
        #expect(environment.level == .callbacks)
        #expect(environment.stallLimit == .milliseconds(250))
        #expect(environment.slowCallbacks == .microseconds(500))
        #expect(environment.snapshotSignal == 10 || environment.snapshotSignal == 30)
        #expect(environment.traceSignal == 12 || environment.traceSignal == 31)
        #expect(environment.traceDirectory == "/tmp")
        #expect(environment.names == 64)
        #expect(environment.recordedDispatches == 100_000)
        #expect(environment.problems == [])
    }

    @Test func signal_needsMetrics() {
        #expect(environment(["MONITOREDUV_TRACE_SIGNAL": "USR2"]).level == .metrics)
        #expect(environment(["MONITOREDUV_TRACE_SIGNAL": "USR2", "MONITOREDUV_LEVEL": "off"]).level == .off)
    }

    @Test(arguments: [
        ("LEVEL", "loud"), ("STALL_LIMIT", "100"), ("STALL_LIMIT", "10us"), ("SLOW_CALLBACKS", "-1ms"),
        ("SLOW_CALLBACKS", "soon"), ("SNAPSHOT_SIGNAL", "KILL"), ("SNAPSHOT_SIGNAL", "4"), ("TRACE_SIGNAL", "11"),
        ("TRACE_SIGNAL", "6"), ("TRACE_DIRECTORY", "/nonexistent"), ("TRACE_DIRECTORY", "/dev/null"),
        ("TRACE_SIGNAL", "9"),
        ("NAMES", "0"),
        ("NAMES", "many"), ("RECORDED_DISPATCHES", "99999999999"),
    ])
    func whatIsNotUnderstood_isNamed(_ name: String, _ value: String) {
        let environment = environment(["MONITOREDUV_\(name)": value])
        #expect(environment.problems.count == 1)
        #expect(environment.problems.first?.hasPrefix("MONITOREDUV_\(name)=\(value) is ignored: it takes") == true)
    }

    /// Also while the loop is stuck.
    @Test func signal_writesATrace() async {
        await #expect(processExitsWith: .success) {
            let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(atPath: folder) }
            setenv("MONITOREDUV_TRACE_SIGNAL", "USR2", 1)
            setenv("MONITOREDUV_TRACE_DIRECTORY", folder, 1)
            let loop = try UVEventLoop()
            @Sendable func trace() -> String? {
                try? FileManager.default.contentsOfDirectory(atPath: folder).first { $0.hasSuffix(".json") }
            }
            loop.callSoon(name: "signaled") {
                kill(getpid(), SIGUSR2)  // to the process: workers of Dispatch block it
                while trace() == nil { usleep(1000) }
            }
            try loop.run()
            try loop.close()
            let path = "\(folder)/\(trace() ?? "none")"
            let text = String(decoding: try Data(contentsOf: URL(fileURLWithPath: path)), as: UTF8.self)
            #expect(text.contains(#""name":"signaled""#) && text.contains("unfinished"))
        }
    }

    /// Afterwards that signal would end the process.
    @Test func signalOfTheEnvironment_isNotTaken() async {
        await #expect(processExitsWith: .success) {
            setenv("MONITOREDUV_SNAPSHOT_SIGNAL", "USR1", 1)
            let loop = try UVEventLoop()
            let signal = try UVSignal(on: loop) { _ in }
            #expect(throws: UVError.self) { try signal.start(.user1) }
            do throws(UVError) { try signal.start(.user1) } catch { #expect(error.code == .busy) }
            #expect(signal.number == nil)
            try signal.start(.user2)
            #expect(throws: UVError.self) { try signal.start(.user1) }
            #expect(signal.number == .user2)
            signal.close()
            try loop.run()
            try loop.close()
            kill(getpid(), SIGUSR1)
        }
    }

    /// A request made by a signal does not wait for a report that is being delivered.
    @Test func snapshotBySignal_comesWhileAReportIsUnderWay() async {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            setenv("MONITOREDUV_SNAPSHOT_SIGNAL", "USR1", 1)
            signal(SIGALRM, SIG_DFL)
            alarm(60)  // rather than wait for ever
            let loop = try UVEventLoop(name: "asked")
            let path = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
            defer { unlink(path) }
            let (file, original) = (open(path, O_CREAT | O_RDWR, 0o600), dup(2))
            dup2(file, 2)
            let (isTold, mayEnd) = (Counter(), Counter())
            loop.monitoring.startWatchdog(limit: .milliseconds(20)) { _ in
                isTold.count()
                while mayEnd.value == 0 { usleep(1000) }
            }
            loop.callSoon(name: "stuck") {
                while isTold.value == 0 { usleep(1000) }
                kill(getpid(), SIGUSR1)
                while lseek(file, 0, SEEK_END) == 0 { usleep(1000) }
                mayEnd.count()
            }
            try loop.run()
            try loop.close()
            dup2(original, 2)
            FileHandle.standardError.write(try Data(contentsOf: URL(fileURLWithPath: path)))
        }
        let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
        #expect(text.contains("asked"), "\(text)")
        #expect(text.contains("stuck"), "\(text)")
    }

    @Test func libraryModules_areListed() {
        let environment = environment(["MONITOREDUV_LIBRARY_MODULES": "Hummingbird, HummingbirdCore"])
        #expect(environment.libraryModules == ["Hummingbird", "HummingbirdCore"])
    }
}
