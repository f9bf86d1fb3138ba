import CMonitoredUV

/// Whether jobs have the layout that ``JobNames`` expects: the runtime says so, and a job made as a probe proves it.
enum JobLayout {
    static let isKnown: Bool = {
        if muv_job_layout_is_known() && Probe.finds("MonitoredUV.probe") { return true }
        warn(
            "the layout of jobs is unknown in this Swift runtime: all jobs are called 'Task', even those of named tasks, and "
                + "the timer of a canceled Task.sleep stays until it is due. It is known for Swift 6.3 on Linux."
        )
        return false
    }()

    /// Inspects the first job of a task with a name.
    private final class Probe: TaskExecutor {
        private let name: String
        private let found = Lock(false)

        init(_ name: String) { self.name = name }

        static func finds(_ name: String) -> Bool {
            let probe = Probe(name)
            Task(name: name, executorPreference: probe) {}  // comes to `enqueue` before this returns
            return probe.found.withLock { $0 }
        }

        func enqueue(_ job: consuming ExecutorJob) {
            let job = Job(job)
            if job.kind == .task, muv_task_is_new(job.pointer), let text = job.ownName {
                let isSame = String(cString: text) == name
                found.withLock { $0 = isSame }
            }
            job.unowned.runSynchronously(on: asUnownedTaskExecutor())
        }
    }
}
