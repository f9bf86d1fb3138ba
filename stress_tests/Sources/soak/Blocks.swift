import Foundation
import MonitoredUV
import Synchronization

/// Blocks a loop at intervals, and counts what the watchdog says of it.
final class Blocks: Sendable {
    private let timer: UVLoopBound<ScheduledCallback>
    private let loop: UVEventLoop
    private let counts = Tally()

    private final class Tally: Sendable {
        let made = Atomic<Int>(0)
        let reported = Atomic<Int>(0)
        let leftOut = Atomic<Int>(0)
    }

    private static let length = Duration.milliseconds(60)
    private static let limit = Duration.milliseconds(30)

    init(on loop: UVEventLoop, each interval: Duration) throws {
        self.loop = loop
        let counts = counts
        timer = try loop.wait {
            // The first at once: what the first report needs is read into memory for good.
            let timer = loop.callLater(.milliseconds(1), repeating: interval, name: "block") { _ in
                let end = ContinuousClock.now + Blocks.length
                while ContinuousClock.now < end {}
                counts.made.wrappingAdd(1, ordering: .relaxed)
            }
            return UVLoopBound(timer, to: loop)
        }
        loop.monitoring.startWatchdog(limit: Self.limit) { report in
            counts.leftOut.wrappingAdd(report.suppressed, ordering: .relaxed)
            if report.phase == .ended && report.callbackName == "block" {
                counts.reported.wrappingAdd(1, ordering: .relaxed)
            }
        }
    }

    /// No more blocks; returns when the watchdog has told of all of them.
    func stop() {
        _ = try? loop.wait { [timer] in timer.value.cancel() }
        let end = ContinuousClock.now + .seconds(10)
        while reported + leftOut < made && ContinuousClock.now < end { Thread.sleep(forTimeInterval: 0.01) }
    }

    var made: Int { counts.made.load(ordering: .relaxed) }
    var reported: Int { counts.reported.load(ordering: .relaxed) }
    var leftOut: Int { counts.leftOut.load(ordering: .relaxed) }
}
