import Dispatch
import Foundation
import MonitoredUV

// Blocks a loop in five ways. Each time the watchdog has to say so while the loop is still blocked, by a report that
// names the function and tells the cause; else the program ends with an error.

/// The reports of the watchdog, and what is still blocked.
final class Reports: Sendable {
    private let lock = NSLock()
    nonisolated(unsafe) private var reports: [StallReport] = []  // under the lock

    func add(_ report: StallReport) {
        print(report, terminator: "\n\n")
        lock.withLock { reports.append(report) }
    }

    func began(_ name: String) -> StallReport? {
        lock.withLock { reports.first { $0.callbackName == name && $0.phase == .began } }
    }

    /// Up to when the blocks below go on: at most 20 seconds.
    func isMissing(_ name: String) -> Bool { began(name) == nil && Date() < Self.deadline }
    private static let deadline = Date(timeIntervalSinceNow: 20)
}

@inline(never) func parseDocument(_ reports: Reports) {
    var sum = 0
    while reports.isMissing("busy function") { for number in 0..<1_000_000 { sum = sum &* 31 &+ number } }
    if sum == 1 { print("unlikely") }
}

@inline(never) func waitForDisk(_ reports: Reports) {
    while reports.isMissing("sleep") { usleep(20_000) }
}

@inline(never) func sortRows(_ reports: Reports) {
    var rows = [Int32](repeating: 0, count: 2_000_000)
    while reports.isMissing("C library") {
        for index in rows.indices { rows[index] = Int32(truncatingIfNeeded: index &* 7919 % 1_000_003) }
        qsort(&rows, rows.count, 4) { left, right in
            let (left, right) = (left!.load(as: Int32.self), right!.load(as: Int32.self))
            return left < right ? -1 : left > right ? 1 : 0
        }
    }
}

@inline(never) func updateCache(_ reports: Reports, _ cache: NSLock) {
    cache.lock()
    cache.unlock()
}

@inline(never) func handleRequest(_ reports: Reports) async {
    await Task.yield()
    await queryOrders(reports)
    await Task.yield()
}

@inline(never) func queryOrders(_ reports: Reports) async {
    await Task.yield()
    var sum = 0
    while reports.isMissing("request") { for number in 0..<1_000_000 { sum = sum &* 31 &+ number } }
    if sum == 1 { print("unlikely") }
    await Task.yield()
}

func run() throws {
    let reports = Reports()
    let loop = try UVEventLoop(name: "server")
    loop.monitoring.startWatchdog(limit: .milliseconds(100)) { reports.add($0) }
    loop.callSoon(name: "busy function") { parseDocument(reports) }
    loop.callSoon(name: "sleep") { waitForDisk(reports) }
    loop.callSoon(name: "C library") { sortRows(reports) }
    loop.callSoon(name: "lock") {
        let cache = NSLock()
        let isTaken = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            cache.lock()
            isTaken.signal()
            while reports.isMissing("lock") { usleep(1000) }
            cache.unlock()
        }
        isTaken.wait()
        updateCache(reports, cache)
    }
    try loop.run()
    try loop.close()
    try UVEventLoop.run(name: "tasks") {
        UVEventLoop.current?.monitoring.startWatchdog(limit: .milliseconds(100)) { reports.add($0) }
        await Task(name: "request", executorPreference: UVEventLoop.current) { await handleRequest(reports) }.value
    }

    let expected: [(name: String, function: String, cause: StallCause)] = [
        ("busy function", "parseDocument", .cpu), ("sleep", "waitForDisk", .wait), ("C library", "sortRows", .cpu),
        ("lock", "updateCache", .wait), ("request", "queryOrders", .cpu),
    ]
    var isRight = true
    for (name, function, cause) in expected {
        let report = reports.began(name)
        // A machine with too much to do is a cause of its own.
        let isCause = report?.cause == cause || (cause == .cpu && report?.cause == .descheduled)
        let isFunction = report?.stack.contains { $0.function.contains(function) } == true
        let isAsync =
            name != "request"
            || report?.stack.contains {
                $0.role == .asyncCaller && $0.function.contains("handleRequest")
            } == true
        print("\(isCause && isFunction && isAsync ? "found" : "NOT FOUND"): \(name), in \(function), \(cause)")
        isRight = isRight && isCause && isFunction && isAsync
    }
    if !isRight { exit(1) }
}

try run()
