#if RuntimeInterfaces && os(Linux) && compiler(>=6.3)
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
#else
    /// A stand-in where Swift's own executors cannot be replaced: on this system, with this toolchain, or without the
    /// trait.
    enum ProcessExecutors {
        static let areReplaceable = false
        static func install(main: UVEventLoop, default executor: DefaultExecutor) -> Bool { false }
    }
#endif
