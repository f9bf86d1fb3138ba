import CStressSupport
import Foundation
import MonitoredUV

/// The holdings of the process: descriptors, threads, memory, and what its loops have open.
struct Holdings: Encodable {
    let descriptors, threads: Int
    let heapBytes, residentBytes: Int
    let handles, requests: [String: Int]

    /// When the servers have noticed the last departures: when nothing has changed for half a second.
    static func settled(_ loops: [UVEventLoop]) throws -> Holdings {
        let end = ContinuousClock.now + .seconds(20)
        var holdings = try Holdings(loops)
        while true {
            Thread.sleep(forTimeInterval: 0.5)
            let next = try Holdings(loops)
            let isSettled = next.handles == holdings.handles && next.descriptors == holdings.descriptors
            if isSettled || ContinuousClock.now > end { return next }
            holdings = next
        }
    }

    private init(_ loops: [UVEventLoop]) throws {
        let snapshots = loops.map { $0.monitoring.snapshot() }
        let snapshot = snapshots.dropFirst().reduce(snapshots[0], +)
        handles = snapshot.handles
        requests = snapshot.requests
        descriptors = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count
        threads = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count
        heapBytes = stress_heap_in_use()
        let pages = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")[1]
        residentBytes = Int(pages)! * Int(sysconf(Int32(_SC_PAGESIZE)))
    }
}
