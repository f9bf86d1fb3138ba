import Dispatch
import MonitoredUV
import NIOCore
import NIOMonitoring
import NIOPosix
import Testing

/// A fresh group of SwiftNIO's loops for `body`, watched, and shut down behind it.
func withWatchedGroup(
    loops: Int = 1,
    limit: Duration = .milliseconds(20),
    _ body: (WatchedGroup) throws -> Void
) throws {
    let hung = DispatchWorkItem { fatalError("the test hangs") }
    DispatchQueue.global().asyncAfter(deadline: .now() + 120, execute: hung)
    defer { hung.cancel() }
    let reports = Reports()
    // All groups of the process, for a loop's name is not known before it is seen.
    let subscription = NIOLoops.monitor { loop in loop.startWatchdog(limit: limit) { reports.add($0) } }
    let group = WatchedGroup(MultiThreadedEventLoopGroup(numberOfThreads: loops), reports)
    do { try body(group) } catch { Issue.record(error) }
    subscription.cancel()
    try group.group.syncShutdownGracefully()
}

struct WatchedGroup {
    let group: MultiThreadedEventLoopGroup
    let reports: Reports
    /// The beginning of the names of its loops.
    let prefix: String

    init(_ group: MultiThreadedEventLoopGroup, _ reports: Reports) {
        self.group = group
        self.reports = reports
        // "MultiThreadedEventLoopGroup { threadPattern = NIO-ELT-0-#* }"
        prefix = "\(group)".split(separator: " ").first { $0.hasSuffix("#*") }.map { String($0.dropLast()) } ?? "?"
    }

    var loop: any EventLoop { group.next() }

    /// The monitoring of its loops that have been seen.
    var monitorings: [Monitoring] { NIOLoops.all.filter { $0.loopName.hasPrefix(prefix) } }

    /// Waits for the report of a stall of its loops, while it lasts or of its end, that `isMeant`. There may be others, of
    /// a machine that is busy.
    func report(ofEnd: Bool, _ isMeant: (StallReport) -> Bool) throws -> StallReport {
        try reports.first { $0.loopName.hasPrefix(prefix) && ($0.phase == .ended) == ofEnd && isMeant($0) }
    }
}

/// Reports of stalls, as they come.
final class Reports: Sendable {
    private let state = Lock<[StallReport]>([])
    private let arrived = DispatchSemaphore(value: 0)

    func add(_ report: StallReport) {
        state.withLock { $0.append(report) }
        arrived.signal()
    }

    /// Forgets those that came.
    func clear() { state.withLock { $0 = [] } }

    var all: [StallReport] { state.withLock { $0 } }

    /// Returns the first report that `isMeant`, once there is one.
    func first(_ isMeant: (StallReport) -> Bool) throws -> StallReport {
        while true {
            let all = all
            if let report = all.first(where: isMeant) { return report }
            try #require(arrived.wait(timeout: .now() + 60) == .success, "only these came: \(all)")
        }
    }

    /// Whether there is a report that `isMeant`.
    func contains(_ isMeant: (StallReport) -> Bool) -> Bool { all.contains(where: isMeant) }
}
