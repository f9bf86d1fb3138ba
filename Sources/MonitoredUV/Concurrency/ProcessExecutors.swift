#if RuntimeInterfaces && os(Linux) && compiler(>=6.3)
    @_spi(ExperimentalCustomExecutors) @_spi(ExperimentalScheduling) import _Concurrency

    // The one place that uses interfaces of the standard library which are not public yet.

    /// Takes over Swift's own executors, those of `MainActor` and of everything that has no other.
    enum ProcessExecutors {
        static let areReplaceable = true

        /// Once in the life of a process. What runs already on other executors stays there until it next waits.
        ///
        /// - Returns: Whether this runtime has taken them; if not, all is as it was.
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
        /// As `run(.untilDone)`, by the name that Swift's run loops have for it.
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
    /// There is no access to Swift's own executors: on this system, with this toolchain, or by choice, without the trait.
    enum ProcessExecutors {
        static let areReplaceable = false
        static func install(main: UVEventLoop, default executor: DefaultExecutor) -> Bool { false }
    }
#endif
