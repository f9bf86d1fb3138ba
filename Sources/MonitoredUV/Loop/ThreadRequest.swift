internal import CLibUV

/// A request on which other threads work. Loop thread only.
protocol ThreadRequest: AnyObject {
    /// libuv's number for the kind.
    var type: uv_req_type { get }
    /// Calls back, within a dispatch: a thread finished the work at `time`.
    func finish(at time: UInt64)
    /// Calls back soon, whatever the threads do.
    func cancel()
    /// Never calls back.
    func drop()
}

/// Work for threads that has ended, on its way to the loop that waits for it.
final class FinishedWork: Sendable {
    struct Entry: Sendable {
        let work: any AnyObject & Sendable
        let time: UInt64
    }

    /// `nil` once the loop is closed.
    private let entries = Lock<[Entry]?>([])
    private let wakeUp: AsyncSender

    /// Wakes a loop by `wakeUp`.
    init(_ wakeUp: AsyncSender) { self.wakeUp = wakeUp }

    /// Any thread.
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

    /// The loop takes nothing any more.
    func close() { entries.withLock { $0 = nil } }
}

extension LoopCore {
    /// Keeps `request`, and the loop alive, until `work` ends.
    func begin(_ request: some ThreadRequest, _ work: some AnyObject) {
        threadRequests[ObjectIdentifier(work)] = request
        requestBegan(request.type)
        holdOpen(true)
    }

    /// Stops waiting for `work`; `false` if the loop did not wait for it.
    @discardableResult
    func end(_ work: some AnyObject) -> Bool { take(work) != nil }

    private func take(_ work: some AnyObject) -> (any ThreadRequest)? {
        guard let request = threadRequests.removeValue(forKey: ObjectIdentifier(work)) else { return nil }
        requestEnded(request.type)
        holdOpen(false)
        return request
    }

    /// Calls back for all work that has ended.
    @inline(never)
    func finishThreadRequests() {
        for entry in shared.finishedWork.takeAll() { take(entry.work)?.finish(at: entry.time) }
    }

    func cancelThreadRequests() { for request in threadRequests.values { request.cancel() } }

    func dropThreadRequests() { for request in threadRequests.values { request.drop() } }
}
