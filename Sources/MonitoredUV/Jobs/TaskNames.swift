import Synchronization

/// The names that `nameCurrentDispatch` gave to tasks, for their later resumptions. Any thread.
///
/// The end of a task is not reported, so the table has a fixed size: a task's name lasts until another task with the
/// same number modulo 8,192 is named. Numbers are assigned in order, so the 8,192 youngest tasks do not disturb each
/// other.
enum TaskNames {
    private static let count = 8192
    private static let used = Atomic<Bool>(false)

    // Allocated once, and made only of atomics.
    nonisolated(unsafe) private static let entries = {
        let entries = UnsafeMutablePointer<Atomic<UInt64>>.allocate(capacity: count)
        for index in 0..<count { (entries + index).initialize(to: Atomic(0)) }
        return entries
    }()

    @inline(__always)
    static func name(of task: UInt32) -> CallbackName? {
        used.load(ordering: .relaxed) ? find(task) : nil
    }

    private static func find(_ task: UInt32) -> CallbackName? {
        let entry = entries[Int(task) & (count - 1)].load(ordering: .relaxed)
        let name = CallbackName(id: UInt32(truncatingIfNeeded: entry))
        guard UInt32(entry >> 32) == task, name != .unnamed, PassingNames.shared.touch(name) else { return nil }
        return name
    }

    static func set(_ name: CallbackName, of task: UInt32) {
        entries[Int(task) & (count - 1)].store(UInt64(task) << 32 | UInt64(name.id), ordering: .relaxed)
        used.store(true, ordering: .relaxed)
    }
}
