public import Logging
import Synchronization

/// Swift's own executors, monitored while they stay as they are: the threads that run tasks and actors without an executor
/// of their own, and the main thread, which runs `MainActor`.
///
/// ```swift
/// @main struct Server {
///     static func main() async throws {
///         SwiftExecutors.monitor()
///         try await serve()
///     }
/// }
/// ```
///
/// An `async` `main` itself goes on where it began, and is not seen: let it call a function that is not isolated to
/// `MainActor`, as above.
///
/// Each job, which is the part of a task between two suspensions, is then a dispatch, with its lag, wall time, and name.
/// Each thread that runs jobs is a loop in ``Monitoring/all``: `main`, `swift-1`, and so on. Threads, priorities,
/// `Task.sleep`, and isolation are as without it. In contrast to ``UVEventLoop/runMain(monitor:workers:body:)``, nothing
/// runs on a loop of this library.
public enum SwiftExecutors {
    /// Monitors all threads of Swift's own executors, at level `metrics`, and logs a warning for each job that takes longer
    /// than `stallLimit`, while it lasts: the thread, the function that holds it up, and why.
    ///
    /// Call it in the first line of the program, and once, because each call starts watchdogs of its own. Tasks that have
    /// been started before are seen when they next go on, except for parts of `MainActor` that had begun. It needs Swift 6.3 or later on Linux, and the package's trait `RuntimeInterfaces`, which is on by default.
    /// Elsewhere, it prints a warning and monitors nothing. It cannot be combined with
    /// ``UVEventLoop/runMain(monitor:workers:body:)``; that traps.
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

    /// Monitors all threads of Swift's own executors, at level `metrics`, and calls `configure` with each of them once.
    ///
    /// ```swift
    /// SwiftExecutors.monitor { loop in
    ///     loop.addMonitor { dispatch in print(dispatch) }
    /// }
    /// ```
    ///
    /// Otherwise like ``monitor(stallLimit:logger:)``.
    ///
    /// - Parameter configure: Sets a level, adds a monitor, or starts a watchdog, and returns a subscription if it has one.
    ///   Called on any thread; for a thread that is seen for the first time, on that one.
    /// - Returns: A subscription which, when canceled, cancels those that `configure` has returned, and leaves threads alone
    ///   from then on. When the last one is canceled, the level of all of them becomes `off`.
    @discardableResult
    public static func monitor(
        _ configure: @escaping @Sendable (Monitoring) -> MonitoringSubscription?
    ) -> MonitoringSubscription {
        let subscription = JobRecorder.loops.add(configure)
        _ = isInstalled
        return subscription
    }

    /// The monitoring of the threads that have run jobs so far, in the order of their names.
    public static var all: [Monitoring] { JobRecorder.loops.all }

    /// The monitoring of the thread of Swift's own executors that runs this code; `nil` elsewhere, and at level `off`.
    public static var current: Monitoring? { (ForeignRecorder.ofThread as? JobRecorder)?.loop.monitoring }

    /// Whether anybody has asked for this.
    static let isAskedFor = Atomic<Bool>(false)

    /// Whether Swift's executors are monitored; the first access makes it so.
    private static let isInstalled: Bool = {
        if ProcessLoops.current != nil {
            fatalError(
                "SwiftExecutors.monitor was called in a process that UVEventLoop.runMain runs, where Swift's own executors "
                    + "have nothing to do. Pass a monitor to runMain instead, or call run in place of it."
            )
        }
        isAskedFor.store(true, ordering: .relaxed)
        if !ProcessExecutors.observe() {
            warn(
                "SwiftExecutors.monitor cannot observe Swift's executors here, and monitors nothing. It needs Swift 6.3 or "
                    + "later on Linux and the package trait RuntimeInterfaces."
            )
            return false
        }
        return true
    }()
}
