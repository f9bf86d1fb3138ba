import Foundation
import Testing

@testable import MonitoredUV

struct TraceTests {
    private struct Event {
        let json: [String: Any]
        var phase: String { json["ph"] as! String }
        var name: String { json["name"] as! String }
        var track: Int { json["tid"] as! Int }
        var start: Double { json["ts"] as? Double ?? 0 }
        var length: Double { json["dur"] as? Double ?? 0 }
        var arguments: [String: Any] { json["args"] as? [String: Any] ?? [:] }
        var category: String { json["cat"] as? String ?? "" }
    }

    private func events(_ bytes: [UInt8]) throws -> [Event] {
        let json = try JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any]
        return try #require(json?["traceEvents"] as? [[String: Any]]).map { Event(json: $0) }
    }

    private func record(
        _ name: String,
        _ start: UInt64,
        _ wall: UInt64,
        lag: UInt64 = 0,
        _ precision: DispatchLag.Precision = .exact
    ) -> FlightRecord {
        FlightRecord(
            start: start,
            wallTime: wall,
            lag: lag,
            lagPrecision: precision,
            kind: .posted,
            name: CallbackName(name),
            waiters: 0
        )
    }

    @Test func traceIsItsOwnersAlone_andDevicesStayWhatTheyAre() throws {
        try withLoop { loop in
            let path = NSTemporaryDirectory() + "trace-\(UUID().uuidString).json"
            defer { unlink(path) }
            loop.monitoring.level = .metrics
            for _ in 0..<2 { try loop.monitoring.writeTrace(to: path) }
            var status = stat()
            #expect(stat(path, &status) == 0)
            #expect(status.st_mode & 0o777 == 0o600)
            try loop.monitoring.writeTrace(to: "/dev/null")
            #expect(stat("/dev/null", &status) == 0)
            #expect(status.st_mode & S_IFMT == S_IFCHR)
        }
    }

    /// `/dev/stdout` is such a link.
    @Test func symbolicLink_staysOne() throws {
        try withLoop { loop in
            let path = NSTemporaryDirectory() + "trace-\(UUID().uuidString).json"
            let link = path + ".link"
            defer { for path in [path, link] { unlink(path) } }
            #expect(symlink(path, link) == 0)
            loop.monitoring.level = .metrics
            try String(repeating: "x", count: 100_000).write(toFile: path, atomically: false, encoding: .utf8)
            try loop.monitoring.writeTrace(to: link)
            var status = stat()
            #expect(lstat(link, &status) == 0)
            #expect(status.st_mode & S_IFMT == S_IFLNK)
            let text = try String(contentsOfFile: path, encoding: .utf8)
            #expect(text.hasPrefix("{") && text.hasSuffix("]}\n"))
        }
    }

    #if os(Linux)
        @Test func fileThatGrowsTooLarge_isAnError() async {
            await #expect(processExitsWith: .success) {
                let loop = try UVEventLoop()
                loop.monitoring.level = .metrics
                for _ in 0..<100 { loop.callSoon {} }
                try loop.run()
                var limit = rlimit(rlim_cur: 100, rlim_max: 100)
                precondition(setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0)
                let path = NSTemporaryDirectory() + "trace-\(UUID().uuidString).json"
                do {
                    try loop.monitoring.writeTrace(to: path)
                    fatalError("100 bytes were enough")
                } catch let error as UVError {
                    precondition(error.code == UVError.Code(rawValue: -EFBIG), "\(error)")
                }
                precondition(access(path, F_OK) != 0)
                try loop.close()
            }
        }
    #endif

    @Test func dispatches_areSlices_withArrowsFromWhatPostedThem() throws {
        let track = TraceWriter.Track(
            name: "a \"loop\"\n",
            records: [
                record("poster \\ \u{1}", 1_000_000, 500_000),
                record("posted", 1_600_000, 1000, lag: 300_000),
                record("read", 1_700_000, 2000, lag: 700_000, .range),
                record("idle before", 2_000_000, 10, lag: 100_000),
            ],
            running: InFlight.Dispatch(start: 3_000_000, name: CallbackName("stuck"), kind: .timer),
            stalls: [
                Stall(
                    StallID(start: 3_000_000, isIteration: false),
                    .cpu,
                    stack: .init(
                        frames: [
                            StackFrame(function: "f<\"x\">()", isOwn: true), StackFrame(function: "g", isOwn: true),
                        ]
                    )
                )
            ]
        )
        let events = try events(TraceWriter.trace([track], process: 7, now: 5_000_000))
        let slices = events.filter { $0.phase == "X" }
        #expect(slices.map(\.name) == ["poster \\ _", "posted", "read", "idle before", "stuck"])
        #expect(slices.map(\.start) == [1000, 1600, 1700, 2000, 3000])
        #expect(slices.map(\.length) == [500, 1, 2, 0.01, 2000])
        #expect(slices[1].arguments["lag_us"] as? Double == 300)
        #expect(slices[2].arguments["lag_us_at_most"] as? Double == 700)
        #expect(slices[4].category == "stall")
        #expect(slices[4].arguments["unfinished"] as? Bool == true)
        #expect(slices[4].arguments["stack"] as? String == "f<\"x\">()\ng")
        #expect(slices[4].arguments["cause"] as? String == "cpu")
        let arrows = events.filter { ["s", "f"].contains($0.phase) }
        #expect(arrows.map(\.phase) == ["s", "f"])
        #expect(arrows.map(\.start) == [1300, 1600])
        #expect(Set(arrows.map(\.name)) == ["posted"])
        let names = events.filter { $0.phase == "M" }.map { $0.arguments["name"] as? String }
        #expect(names == ["MonitoredUV", "a \"loop\"\n"])
    }

    /// The requirements of Perfetto: slices of a track nest, and each arrow has slices at both ends.
    @Test func traceOfALoop_isOneThatPerfettoShows() throws {
        let folder = FileManager.default.temporaryDirectory.path
        let path = "\(folder)/trace-\(UUID().uuidString).json"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try withLoop { one in
            try withLoop { other in
                for loop in [one, other] {
                    loop.monitoring.level = .metrics
                    for number in 0..<200 {
                        loop.callSoon(name: "outer") {
                            loop.callSoon(name: "inner") {}
                            if number % 10 == 0 { loop.callLater(.zero) {} }
                        }
                    }
                    try loop.run()
                }
                try Monitoring.writeTrace(of: [one.monitoring, other.monitoring], to: path)
            }
        }
        let events = try events([UInt8](Data(contentsOf: URL(fileURLWithPath: path))))
        let slices = events.filter { $0.phase == "X" }
        #expect(slices.count == 2 * 420)
        for track in [1, 2] {
            let own = slices.filter { $0.track == track }
            #expect(own.count == 420)
            for (slice, next) in zip(own, own.dropFirst()) {
                #expect(slice.start + slice.length <= next.start + 0.0011)
            }
        }
        let begins = events.filter { $0.phase == "s" }
        let ends = events.filter { $0.phase == "f" }
        #expect(begins.count == ends.count)
        #expect(begins.count >= 2 * 200)
        for (begin, end) in zip(begins, ends) {
            #expect(begin.json["id"] as? Int == end.json["id"] as? Int)
            #expect(begin.name == end.name && begin.track == end.track)
            #expect(
                slices.contains {
                    $0.track == begin.track && $0.start <= begin.start && begin.start <= $0.start + $0.length
                }
            )
            #expect(slices.contains { $0.track == end.track && $0.start == end.start })
        }
    }

    @Test func path_thatCannotBeWritten_throws_andLeavesNothing() throws {
        try withLoop { loop in
            let error = #expect(throws: UVError.self) { try loop.monitoring.writeTrace(to: "/nonexistent/trace.json") }
            #expect(error?.code.rawValue == -ENOENT)
            #expect("\(error!)".contains("/nonexistent/trace.json"))
        }
    }

    @Test func folderInThePlaceOfTheFile_throws_andLeavesNothing() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
        try FileManager.default.createDirectory(atPath: "\(folder)/taken", withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        #expect(throws: UVError.self) { try writeFile([1, 2, 3], to: "\(folder)/taken") }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["taken"])
    }

    @Test func files_areBoundInNumberAndSize() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try withLoop { loop in
            loop.monitoring.level = .metrics
            for _ in 0..<4000 { loop.callSoon(name: "dispatch") {} }
            try loop.run()
            let files = TraceFiles(directory: folder, mostFiles: 3, mostBytes: 65_536)
            // Another of the same directory counts with it.
            let others = TraceFiles(directory: folder, mostFiles: 3, mostBytes: 65_536)
            func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: folder).sorted() }
            for number in 0..<3 { (number == 1 ? others : files).write([loop.shared.watchdog]) }
            let first = try names()
            #expect(first.count == 3)
            for _ in 0..<2 { files.write([loop.shared.watchdog]) }
            let last = try names()
            #expect(last.count == 3 && last.first == first.last)
            for name in last {
                #expect(name.contains(try Regex("^monitoreduv-\(getpid())-[0-9]{8}T[0-9]{6}\\.[0-9]{6}Z\\.json$")))
                let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name)")))
                #expect(bytes.count <= 65_536 && bytes.count > 32_768)
                #expect(try events(bytes).count > 100)
            }
        }
    }

    @Test func filesOfAnEarlierProcessWithTheSameID_stayUntilNewerOnesReplaceThem() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: "\(folder)/\(name)") }
        let earlier = (1...2).map { "monitoreduv-\(getpid())-2020010\($0)T030405.678901Z.json" }
        let others = ["monitoreduv-\(getpid())0-20200101T030405.678901Z.json", "notes.json"]
        for name in earlier + others { try Data().write(to: URL(fileURLWithPath: "\(folder)/\(name)")) }
        let files = TraceFiles(directory: folder, mostFiles: 2, mostBytes: 65_536)
        files.write([])
        #expect(earlier.map(exists) == [false, true])
        files.write([])
        #expect(earlier.map(exists) == [false, false])
        #expect(others.allSatisfy(exists))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder).count == 4)
    }

    @Test func stall_writesItsTrace() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try withLoop { loop in
            let begun = Counter()
            loop.monitoring.startWatchdog(limit: .milliseconds(20), traces: TraceFiles(directory: folder)) { report in
                if report.dispatches == nil { begun.count() }
            }
            loop.callSoon(name: "stalls") { while begun.value == 0 {} }
            try loop.run()
        }
        WatchdogThread.shared.look()
        WatchdogThread.shared.flushReports()
        let name = try #require(try FileManager.default.contentsOfDirectory(atPath: folder).min())
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name)")))
        let stall = try #require(try events(bytes).first { $0.category == "stall" })
        #expect(stall.name == "stalls")
        #expect(isThreadSanitized || (stall.arguments["stack"] as? String)?.contains("stall_writesItsTrace") == true)
    }
}
