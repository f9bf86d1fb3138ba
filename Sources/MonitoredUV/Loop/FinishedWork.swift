/// Finished work of threads, on its way to the loop that waits for it. Any thread.
final class FinishedWork: Sendable {
    struct Entry: Sendable {
        let work: any AnyObject & Sendable
        let time: UInt64
    }

    /// `nil` once the loop is closed.
    private let entries = Lock<[Entry]?>([])
    private let wakeUp: AsyncSender

    /// Creates an empty list that wakes its loop through `wakeUp`.
    init(_ wakeUp: AsyncSender) { self.wakeUp = wakeUp }

    func add(_ work: any AnyObject & Sendable) {
        let entry = Entry(work: work, time: MonotonicClock.read())
        entries.withLock { $0?.append(entry) }
        wakeUp.send()
    }

    func takeAll() -> [Entry] {
        entries.withLock { entries in
            defer { if entries != nil { entries = [] } }
            return entries ?? []
        }
    }

    /// Drops all entries, because the loop takes no more.
    func close() { entries.withLock { $0 = nil } }
}
