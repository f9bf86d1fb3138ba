#if RuntimeInterfaces && os(Linux) && compiler(>=6.3)
    import CMonitoredUV
    @_spi(ExperimentalCustomExecutors) @_spi(ExperimentalScheduling) import _Concurrency

    // The only place that uses standard library interfaces that are not public yet.

    /// The replacement of Swift's own executors: that of `MainActor`, and that of everything that has no other.
    enum ProcessExecutors {
        static let areReplaceable = true

        /// Replaces the executors, once in the life of a process. Tasks already running on other executors stay there
        /// until they next suspend.
        ///
        /// - Returns: Whether this runtime has accepted them; if not, nothing has changed.
        static func install(main: UVEventLoop, default executor: DefaultExecutor) -> Bool {
            Factory.executors.withLock { $0 = (main, executor) }
            _createExecutors(factory: Factory.self)
            let isDefault = (Task.defaultExecutor as AnyObject) === executor
            let isMain = (MainActor.executor as AnyObject) === main
            if isDefault != isMain {
                fatalError(
                    "UVEventLoop.runMain could replace only one of Swift's executors, because something else has already "
                        + "replaced the other. Use UVEventLoop.run instead, or remove the other replacement."
                )
            }
            if !isDefault { Factory.executors.withLock { $0 = nil } }
            return isDefault
        }

        /// Makes each job of Swift's own executors pass through this library, once in the life of a process.
        ///
        /// - Returns: Whether this runtime has accepted that; if not, nothing has changed.
        static func observe() -> Bool {
            guard muv_executors_are_known() else { return false }
            // Other threads may have jobs already, which come here from then on.
            observeJobs()
            _createExecutors(factory: ObservedExecutors.self)
            let isDefault = (Task.defaultExecutor as AnyObject) === ObservedExecutors.observedDefault
            let isMain = (MainActor.executor as AnyObject) === ObservedExecutors.observedMain
            if isDefault != isMain {
                fatalError(
                    "SwiftExecutors.monitor could take over only one of Swift's executors, because something else has "
                        + "already replaced the other. Remove that, or do without SwiftExecutors."
                )
            }
            if isDefault { muv_executors_take_over() }
            return isDefault
        }

        private struct Factory: ExecutorFactory {
            static let executors = Lock<(main: UVEventLoop, default: DefaultExecutor)?>(nil)
            static var mainExecutor: any MainExecutor { executors.withLock { $0! }.main }
            static var defaultExecutor: any TaskExecutor { executors.withLock { $0! }.default }
        }
    }

    @_spi(UVExecutors)
    extension UVEventLoop: MainExecutor {
        /// Runs the loop as `run(.untilDone)` does, under the name that Swift's run loops use.
        @_implements(RunLoopExecutor,run())
        public func runAsMainExecutor() throws { try run(.untilDone) }
    }

    @_spi(UVExecutors)
    extension UVEventLoop: SchedulingExecutor {
        /// Runs a job on the loop after a delay; `Task.sleep` calls it. Any thread.
        public func enqueue<C: Clock>(
            _ job: consuming ExecutorJob,
            after delay: C.Duration,
            tolerance: C.Duration?,
            clock: C
        ) {
            enqueue(Job(job), after: nanoseconds(delay, of: clock))
        }

        /// Runs a job on the loop at an instant; `Task.sleep` calls it. Any thread.
        public func enqueue<C: Clock>(
            _ job: consuming ExecutorJob,
            at instant: C.Instant,
            tolerance: C.Duration?,
            clock: C
        ) {
            enqueue(Job(job), after: nanoseconds(clock.now.duration(to: instant), of: clock))
        }
    }

    extension DefaultExecutor: SchedulingExecutor {
        func enqueue<C: Clock>(
            _ job: consuming ExecutorJob,
            after delay: C.Duration,
            tolerance: C.Duration?,
            clock: C
        ) {
            enqueue(job, after: nanoseconds(delay, of: clock))
        }

        func enqueue<C: Clock>(
            _ job: consuming ExecutorJob,
            at instant: C.Instant,
            tolerance: C.Duration?,
            clock: C
        ) {
            enqueue(job, after: nanoseconds(clock.now.duration(to: instant), of: clock))
        }
    }

    private func nanoseconds<C: Clock>(_ delay: C.Duration, of clock: C) -> UInt64 {
        guard let delay = delay as? Duration else {
            fatalError(
                "\(C.self) measures time in \(C.Duration.self); an event loop needs a clock whose Duration is Swift's"
            )
        }
        return delay.nanosecondsClamped
    }

    /// Swift's own executors, each behind one that sees its jobs on their way.
    private struct ObservedExecutors: ExecutorFactory {
        static let observedMain = ObservedMainExecutor()
        static let observedDefault = ObservedDefaultExecutor()
        static let mainIdentity = UInt(bitPattern: Unmanaged.passUnretained(observedMain).toOpaque())
        static var mainExecutor: any MainExecutor { observedMain }
        static var defaultExecutor: any TaskExecutor { observedDefault }
    }

    private final class ObservedDefaultExecutor: TaskExecutor, SchedulingExecutor {
        // Swift's own executors on Linux can schedule. Used only for clocks whose durations are not Swift's.
        private var stock: any SchedulingExecutor { PlatformExecutorFactory.defaultExecutor as! any SchedulingExecutor }

        func enqueue(_ job: consuming ExecutorJob) { muv_executor_enqueue(Job(job).pointer, false) }

        func enqueue<C: Clock>(
            _ job: consuming ExecutorJob,
            after delay: C.Duration,
            tolerance: C.Duration?,
            clock: C
        ) {
            guard let delay = delay as? Duration else {
                return stock.enqueue(job, after: delay, tolerance: tolerance, clock: clock)
            }
            observedSleep(Job(job), onMain: false, delay)
        }

        func enqueue<C: Clock>(
            _ job: consuming ExecutorJob,
            at instant: C.Instant,
            tolerance: C.Duration?,
            clock: C
        ) {
            guard let delay = clock.now.duration(to: instant) as? Duration else {
                return stock.enqueue(job, at: instant, tolerance: tolerance, clock: clock)
            }
            observedSleep(Job(job), onMain: false, delay)
        }
    }

    private final class ObservedMainExecutor: MainExecutor, SchedulingExecutor {
        private var main: any MainExecutor { PlatformExecutorFactory.mainExecutor }
        // As above.
        private var stock: any SchedulingExecutor { main as! any SchedulingExecutor }

        func enqueue(_ job: consuming ExecutorJob) { muv_executor_enqueue(Job(job).pointer, true) }

        func run() throws { try main.run() }
        func runUntil(_ condition: () -> Bool) throws { try main.runUntil(condition) }
        func stop() { main.stop() }
        func checkIsolated() { main.checkIsolated() }

        func enqueue<C: Clock>(
            _ job: consuming ExecutorJob,
            after delay: C.Duration,
            tolerance: C.Duration?,
            clock: C
        ) {
            guard let delay = delay as? Duration else {
                return stock.enqueue(job, after: delay, tolerance: tolerance, clock: clock)
            }
            observedSleep(Job(job), onMain: true, delay)
        }

        func enqueue<C: Clock>(
            _ job: consuming ExecutorJob,
            at instant: C.Instant,
            tolerance: C.Duration?,
            clock: C
        ) {
            guard let delay = clock.now.duration(to: instant) as? Duration else {
                return stock.enqueue(job, at: instant, tolerance: tolerance, clock: clock)
            }
            observedSleep(Job(job), onMain: true, delay)
        }
    }

    private func observedSleep(_ job: Job, onMain: Bool, _ delay: Duration) {
        let delay = delay.nanosecondsClamped
        muv_executor_enqueue_after(job.pointer, onMain, delay, MonotonicClock.read() &+ delay)
    }

    private func observeJobs() {
        var calls = muv_executor_calls(
            stamp: { job in
                guard let job = Job(address: UInt(bitPattern: job)) else { return }
                let waking = muv_executor_waking_since()
                job.stamp(waking != 0 ? waking : MonotonicClock.read(), .any)
            },
            run: { job, identity, implementation in
                guard let job = Job(address: UInt(bitPattern: job)) else { return }
                let executor = unsafeBitCast((identity, implementation), to: UnownedSerialExecutor.self)
                if identity == 0 || identity != ObservedExecutors.mainIdentity {
                    JobRecorder.own.run(job) { job.unowned.runSynchronously(on: executor) }
                } else {
                    JobRecorder.main.runOnMain(job) { job.unowned.runSynchronously(on: executor) }
                }
            },
            wake: { job, identity, implementation in
                guard let job = Job(address: UInt(bitPattern: job)) else { return }
                job.unowned.runSynchronously(
                    on: unsafeBitCast((identity, implementation), to: UnownedSerialExecutor.self)
                )
            },
            end: { state in if let state { JobRecorder.end(state) } }
        )
        let (identity, implementation) = unsafeBitCast(
            ObservedExecutors.observedMain.asUnownedSerialExecutor(),
            to: (UInt, UInt).self
        )
        muv_executors_prepare(&calls, identity, implementation)
    }
#else
    /// A stand-in where Swift's own executors cannot be replaced: on this system, with this toolchain, or without the
    /// trait.
    enum ProcessExecutors {
        static let areReplaceable = false
        static func install(main: UVEventLoop, default executor: DefaultExecutor) -> Bool { false }
        static func observe() -> Bool { false }
    }
#endif
