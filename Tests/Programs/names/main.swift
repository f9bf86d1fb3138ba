import Foundation
import MonitoredUV
import Synchronization

// What jobs are called, in a program whose code is at the top level, in functions and in types: always something of its
// own, also where it waits in a library. A program, and not a test, for in release builds the compiler makes other functions
// of it.

let jobs = Mutex<[String: Int]>([:])

@Sendable func note(_ state: borrowing IOLoopMonitorState) {
    if state.kind != .job { return }
    let name = state.callbackPrettyName
    jobs.withLock { $0[name, default: 0] += 1 }
}

@inline(never) @Sendable func renderReport() { usleep(1) }

@inline(never) @Sendable func refreshCache() async { usleep(1) }

@inline(never) @Sendable func pollQueue() async {
    for _ in 0..<3 { try? await Task.sleep(for: .milliseconds(1)) }
}

@inline(never) @Sendable func startTasks() async {
    await Task { renderReport() }.value
    await Task { await refreshCache() }.value
    await Task.detached { renderReport() }.value
    async let refreshed: Void = refreshCache()
    async let polled: Void = pollQueue()
    _ = await (refreshed, polled)
    await withTaskGroup(of: Void.self) { group in
        group.addTask { renderReport() }
        group.addTask(operation: refreshCache)
        group.addTask(operation: pollQueue)
    }
    await Task.detached(operation: pollQueue).value
}

actor Store {
    var count = 0
    @inline(never) func add() async {
        count += 1
        await Task.yield()
        count += 1
    }
}

@inline(never) @Sendable func useStore() async {
    let store = Store()
    await withDiscardingTaskGroup { group in for _ in 0..<8 { group.addTask { await store.add() } } }
}

@inline(never) @Sendable func echo(_ connection: UVTCPConnection) async throws {
    for try await bytes in connection.inbound { try await connection.write(bytes) }
}

@inline(never) @Sendable func serveAndAsk() async throws {
    let server = try await UVTCPServer.listen(host: "127.0.0.1", port: 0)
    async let serving: Void = server.serve(echo)
    for _ in 0..<3 { try await ask(server.localAddress) }
    await server.close()
    try await serving
    // A handler that is a closure, and one that ends at once.
    let greeter = try await UVTCPServer.listen(host: "127.0.0.1", port: 0)
    async let greeting: Void = greeter.serve { try await $0.write("hello") }
    let client = try await UVTCPConnection.connect(host: "127.0.0.1", port: greeter.localAddress.port)
    _ = try await client.read()
    await client.close()
    await greeter.close()
    try await greeting
}

@inline(never) func ask(_ address: UVSocketAddress) async throws {
    let client = try await UVTCPConnection.connect(host: "127.0.0.1", port: address.port)
    try await client.write("question")
    _ = try await client.read()
    await client.close()
}

signal(SIGALRM, SIG_DFL)
alarm(60)
try UVEventLoop.runMain(monitor: note) {
    await Task { renderReport() }.value
    await Task.detached(operation: refreshCache).value
    async let refreshed: Void = refreshCache()
    await refreshed
    await startTasks()
    await useStore()
    try await serveAndAsk()
}

// What each is to be called by, as far as the compiler leaves it apart.
let own = [
    "in main", "main", "renderReport()", "refreshCache()", "pollQueue()", "startTasks()", "Store", "useStore()",
    "echo(_:)",
    "serveAndAsk()", "ask(_:)",
    // The library's one task of its own, by its own name.
    "server's grace period",
]
let libraries = ["UVTCP", "UVEventLoop", "LoopOperation", "Swift.", "withTimeout"]
var failures = 0
for (name, count) in jobs.withLock({ $0 }).sorted(by: { $0.key < $1.key }) {
    let isOwn = own.contains { name.contains($0) } && !libraries.contains { name.contains($0) }
    if !isOwn { failures += 1 }
    print("\(isOwn ? "      " : "FAILED")  \(count) jobs: \(name)")
}
for function in [
    "closure #1 in closure #1 in main", "pollQueue()", "Store.add()", "echo(_:)", "serveAndAsk()", "ask(_:)",
] {
    if jobs.withLock({ $0.keys.contains { $0.contains(function) } }) { continue }
    print("FAILED  no job is called \(function)")
    failures += 1
}
exit(failures == 0 ? 0 : 1)
