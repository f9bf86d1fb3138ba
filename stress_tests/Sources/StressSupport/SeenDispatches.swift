import Foundation
import MonitoredUV
import Synchronization

/// The dispatches that a loop's monitoring saw, so that a measurement of monitoring that sees nothing is found out.
public final class SeenDispatches: Sendable {
    private let loop: UVEventLoop
    private let level: MonitoringLevel
    private let counted = Counter()

    private final class Counter: Sendable {
        private let value = Atomic<Int>(0)
        /// The loop's thread alone writes.
        func add() { value.store(value.load(ordering: .relaxed) &+ 1, ordering: .relaxed) }
        var count: Int { value.load(ordering: .relaxed) }
    }

    /// Monitors `loop` at `level`, at `callbacks` with a monitor that counts.
    public init(on loop: UVEventLoop, at level: MonitoringLevel) {
        self.loop = loop
        self.level = level
        if level == .callbacks { loop.monitoring.setMonitor { [counted] _ in counted.add() } }
        loop.monitoring.level = level
    }

    /// How many it were; 0 at level `off`. Any thread.
    public var count: Int {
        switch level {
        case .off: 0
        case .metrics: loop.monitoring.snapshot().dispatches
        case .callbacks: counted.count
        }
    }

    /// On `SIGTERM` prints how many it were, and ends the process. Loop thread, once in a process.
    ///
    /// No other thread waits for the signal: system calls cost more in a process that has several.
    public func reportOnTermination() throws {
        let termination = try UVAsync(on: loop) { [self] in
            print("dispatches: \(count)")
            exit(0)
        }
        termination.unref()
        onTermination = termination.sender
        signal(SIGTERM) { _ in try? onTermination?.send() }
    }
}

/// `nonisolated(unsafe)` is sound: written once, before the handler is set, which alone reads it.
nonisolated(unsafe) private var onTermination: UVAsync.Sender?
