public import Logging
public import MonitoredUV
public import NIOPosix

/// The event loops of SwiftNIO in this process, watched without a change to SwiftNIO or to what runs on it.
///
/// ```swift
/// import NIOMonitoring
///
/// NIOLoops.monitor()  // the first line of main
/// ```
///
/// Every loop of a `MultiThreadedEventLoopGroup`, the singleton's among them, is then in `Monitoring.all`
/// from its next poll on: with snapshots, a watchdog, the flight recorder, and metrics. One iteration of such a loop is
/// one dispatch, of the kind `CallbackKind.iteration`. Its name is the function of your program's in which
/// it spent most of its time, if it was long enough to be sampled, and `iteration` otherwise.
///
/// The loop is seen to enter and leave its poll: on Linux, the package defines `epoll_wait` in your program, which comes
/// before the C library's. On other systems, ``monitor(stallLimit:logger:)`` prints a warning and watches nothing.
public enum NIOLoops {
    /// Watches all loops of SwiftNIO in this process, at level `metrics`, and logs a warning for each iteration that
    /// takes longer than `stallLimit`, while it lasts: the loop, the function that holds it up, and why.
    ///
    /// A loop that was there before is seen once it has left the poll it is in; a loop that is stuck is not seen until
    /// then. Call this before the program makes its loops, or its first requests.
    ///
    /// - Parameters:
    ///   - stallLimit: At least one millisecond.
    ///   - logger: The logger for the warnings.
    @discardableResult
    public static func monitor(
        stallLimit: Duration = .milliseconds(100),
        logger: Logger = Logger(label: "MonitoredUV")
    ) -> MonitoringSubscription {
        monitor { loop in loop.startWatchdog(limit: stallLimit, logger: logger) }
    }

    /// Watches all loops of SwiftNIO in this process, at level `metrics`, and calls `configure` with each of them once.
    ///
    /// ```swift
    /// NIOLoops.monitor { loop in
    ///     loop.addMonitor { dispatch in print(dispatch) }
    /// }
    /// ```
    ///
    /// - Parameter configure: Sets a level, adds a monitor, or starts a watchdog, and returns a subscription if it has
    ///   one. Called on any thread; for a loop that is seen for the first time, on its own.
    /// - Returns: A subscription which, when canceled, cancels those that `configure` has returned, and leaves loops alone
    ///   from then on. When the last one is canceled, the level of all loops of SwiftNIO becomes `off`.
    @discardableResult
    public static func monitor(
        _ configure: @escaping @Sendable (Monitoring) -> MonitoringSubscription?
    ) -> MonitoringSubscription {
        defer { PollWatch.start() }
        return PollWatch.loops.add(configure)
    }

    /// The monitoring of the loops of SwiftNIO that have been seen so far and are open, in the order of their names.
    public static var all: [Monitoring] { PollWatch.loops.all }

    /// The monitoring of the loop of SwiftNIO that runs this code; `nil` on other threads, and before the loop was seen.
    public static var current: Monitoring? { IterationRecorder.ofLoop?.loop.monitoring }

    /// A delegate for groups that the program makes itself, which counts the tasks that their loops run:
    /// `LoopSnapshot.tasks`. It does nothing on loops that are not watched.
    ///
    /// ```swift
    /// let group = MultiThreadedEventLoopGroup(numberOfThreads: 4, metricsDelegate: NIOLoops.metricsDelegate)
    /// ```
    public static var metricsDelegate: any NIOEventLoopMetricsDelegate { TaskCounting() }
}

private struct TaskCounting: NIOEventLoopMetricsDelegate {
    func processedTick(info: NIOEventLoopTickInfo) {
        IterationRecorder.ofLoop?.addTasks(info.numberOfTasks)
    }
}
