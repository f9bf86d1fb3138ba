import Foundation
import MonitoredUV
import Synchronization

// What the monitor and the watchdog say of a server on a framework, in a program of 40 MB: what its jobs are called, how
// soon a stall is told of, and how much memory that takes.

let jobs = Mutex<[String: Int]>([:])
let reports = Mutex<[(report: StallReport, at: ContinuousClock.Instant)]>([])
let failures = Mutex(0)

@Sendable func fail(_ message: String) {
    print("FAILED  \(message)")
    failures.withLock { $0 += 1 }
}

@Sendable func note(_ state: borrowing IOLoopMonitorState) {
    if state.kind != .job { return }
    let name = state.callbackPrettyName
    jobs.withLock { $0[name, default: 0] += 1 }
}

/// In kilobytes, without what is only a file's contents.
@Sendable func memory() -> Int {
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let field = status.split(separator: "\n").first { $0.hasPrefix("RssAnon:") } ?? ""
    return Int(field.filter(\.isNumber)) ?? 0
}

@inline(never) @Sendable func askAll(_ port: Int) async throws {
    for _ in 0..<20 {
        for path in ["/users/ada", "/named/users/ada"] {
            let answer = try await get(path, port: port)
            if !answer.contains("hello ada") { fail("\(path): \(answer)") }
        }
    }
    let before = memory()
    let start = ContinuousClock.now
    _ = try await get("/export", port: port)
    // Its end is told of as well, on a thread of its own.
    while !reports.withLock({ $0.contains { $0.report.phase == .ended } }) {
        try await Task.sleep(for: .milliseconds(5))
    }
    let grown = memory() - before
    print("a stall: \(grown) KB more memory")
    if grown > 10_000 { fail("a stall takes \(grown) KB of memory") }
    guard let began = reports.withLock({ $0.first { $0.report.phase == .began } }) else {
        return fail("no stall was told of")
    }
    print("told of \(began.at - start) after the request:\n\(began.report)")
    if began.at - start > .milliseconds(350) { fail("the first report comes only then") }
    if began.report.function?.contains("Users.export") != true {
        fail("the function is \(began.report.function ?? "nothing")")
    }
    if began.report.call != "usleep" { fail("blocked in \(began.report.call ?? "nothing")") }
}

MonitoringOptions.current.libraryModules = [
    "Hummingbird", "HummingbirdCore", "ServiceLifecycle", "UnixSignals", "AsyncAlgorithms", "Logging", "HTTPTypes",
]
signal(SIGALRM, SIG_DFL)
alarm(60)
let port = 7411
try UVEventLoop.runMain(monitor: note) {
    UVEventLoop.current?.monitoring.startWatchdog(limit: .milliseconds(100)) { report in
        reports.withLock { $0.append((report, ContinuousClock.now)) }
    }
    let (running, continuation) = AsyncStream.makeStream(of: Void.self)
    let server = Task { try await serve(port: port) { continuation.yield() } }
    for await _ in running.prefix(1) {}
    try await askAll(port)
    server.cancel()
    _ = await server.result
}

let own = ["in main", "main", "webserver."]
let frameworks = ["Hummingbird", "NIO", "ServiceLifecycle", "UnixSignals", "AsyncAlgorithms", "HTTP"]
for (name, count) in jobs.withLock({ $0 }).sorted(by: { $0.key < $1.key }) {
    let isOwn = own.contains { name.contains($0) } || name.hasPrefix("GET /")
    let isFrameworks = frameworks.contains { name.contains($0) }
    print("\(isOwn ? "own      " : isFrameworks ? "framework" : "other    ")  \(count) jobs: \(name)")
    if name == "Task" { fail("a job has no name") }
}
for function in ["Users.get(_:_:)", "Store.add(_:)", "serve(port:_:)", "GET /named/users/{name}"] {
    if !jobs.withLock({ $0.keys.contains { $0.contains(function) } }) { fail("no job is called \(function)") }
}
exit(failures.withLock { $0 } == 0 ? 0 : 1)
