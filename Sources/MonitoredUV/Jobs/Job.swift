import CMonitoredUV

/// A job of Swift Concurrency on its way through an executor: a part of a task that is ready to run, or an actor with
/// work to do.
///
/// The runtime leaves two words of every job to its executor. They link the job into a queue and record when it became
/// ready, so that queueing needs no memory of its own.
///
/// `@unchecked Sendable`: a job is in one queue at a time, and the thread that takes it out owns it.
struct Job: Equatable, @unchecked Sendable {
    private let raw: UnsafeMutablePointer<muv_job>

    /// The way the runtime reached the executor. The job must be run the same way.
    enum Route: UInt {
        /// A task that prefers the loop, or an actor that runs for one.
        case task = 0
        /// An actor whose executor is the loop.
        case serial = 1
        /// A task or an actor without a preference.
        case any = 2
        /// `MainActor`, if the loop is its executor.
        case main = 3

        static let shift: UInt = 62
    }

    /// The executor of jobs without a preference. Its two words are zero by Swift's ABI.
    static var anyExecutor: UnownedSerialExecutor {
        @inline(__always) get { unsafeBitCast((0, 0) as (UInt, UInt), to: UnownedSerialExecutor.self) }
    }

    @inline(__always)
    init(_ job: consuming ExecutorJob) {
        raw = unsafeBitCast(UnownedJob(job), to: UnsafeMutablePointer<muv_job>.self)
    }

    @inline(__always)
    init?(address: UInt) {
        guard let raw = UnsafeMutablePointer<muv_job>(bitPattern: address) else { return nil }
        self.raw = raw
    }

    /// The task that is running on this thread; `nil` outside a task.
    static var current: Job? {
        withUnsafeCurrentTask { task in task.flatMap { Job(address: unsafeBitCast($0, to: UInt.self)) } }
    }

    var address: UInt {
        @inline(__always) get { UInt(bitPattern: raw) }
    }

    var unowned: UnownedJob {
        @inline(__always) get { unsafeBitCast(raw, to: UnownedJob.self) }
    }

    // MARK: The executor's words

    /// The address of the next job in the queue.
    var next: UInt {
        @inline(__always) get { raw.pointee.executor_words.0 }
        @inline(__always) nonmutating set { raw.pointee.executor_words.0 = newValue }
    }

    /// Records when the job became ready, 0 if nothing was monitoring, and by which route it came.
    @inline(__always)
    func stamp(_ ready: UInt64, _ route: Route) {
        raw.pointee.executor_words.1 = UInt(ready) | route.rawValue << Route.shift
    }

    var ready: UInt64 {
        @inline(__always) get { UInt64(raw.pointee.executor_words.1 & (1 << Route.shift - 1)) }
    }

    var route: Route {
        @inline(__always) get { Route(rawValue: raw.pointee.executor_words.1 >> Route.shift)! }
    }

    // MARK: Sleeping

    /// Stores the ticket of the task's sleep in a word of the job that the runtime does not use. Only if the layout is
    /// known.
    func mark(_ ticket: SleepTicket) { raw.pointee.reserved = ticket.bits }

    /// Returns and clears the ticket of the sleep that this task began last.
    @inline(__always)
    func takeSleepMark() -> SleepTicket? { _fastPath(raw.pointee.reserved == 0) ? nil : takeMark() }

    @inline(never)
    private func takeMark() -> SleepTicket? {
        guard JobLayout.isKnown else { return nil }
        defer { raw.pointee.reserved = 0 }
        return SleepTicket(bits: raw.pointee.reserved)
    }

    // MARK: What it is; only where the layout is known

    enum Kind { case task, resumption, actor, other }

    var kind: Kind {
        @inline(__always) get {
            switch Int(raw.pointee.flags & 0xff) {
            case muv_job_task: .task
            case muv_job_resumption: .resumption
            case muv_job_actor, muv_job_actor_inline: .actor
            default: .other
            }
        }
    }

    /// The name that the task was created with.
    var ownName: UnsafePointer<CChar>? {
        @inline(__always) get { Int(raw.pointee.flags) & muv_job_has_name == 0 ? nil : muv_task_name(raw) }
    }

    /// The task that a resumption continues.
    var resumedTask: Job? { Job(address: UInt(bitPattern: muv_job_resumed_task(raw))) }

    /// Unique among the process's last four billion tasks.
    var id: UInt32 {
        @inline(__always) get { raw.pointee.id }
    }

    var pointer: UnsafeMutablePointer<muv_job> {
        @inline(__always) get { raw }
    }
}
