import Synchronization

/// Work from other threads: a lock-free stack of closures and jobs, which the loop takes as a whole and reverses.
///
/// Only the push that finds the stack empty has to wake the loop, so a burst of posts costs one wake-up. A closure
/// needs a node of memory; a job is its own node.
struct RemoteQueue: ~Copyable, Sendable {
    enum Push { case queued, queuedFirst, refused }

    private struct Node {
        let work: PostedWork
        var next: UInt
    }

    /// Either kind of link in the stack, as its address; jobs are marked by the lowest bit, which addresses do not use.
    private struct Link {
        let bits: UInt
        private static let job: UInt = 1

        init(bits: UInt) { self.bits = bits }
        init(_ node: UnsafeMutablePointer<Node>) { bits = UInt(bitPattern: node) }
        init(_ job: Job) { bits = job.address | Self.job }

        var job: Job? { bits & Self.job == 0 ? nil : Job(address: bits & ~Self.job) }
        var node: UnsafeMutablePointer<Node> { UnsafeMutablePointer(bitPattern: bits)! }

        var next: UInt {
            @inline(__always) get { if let job { job.next } else { node.pointee.next } }
            @inline(__always) nonmutating set {
                if let job { job.next = newValue } else { node.pointee.next = newValue }
            }
        }
    }

    /// The newest link; 0 if there is none, ``closed`` permanently after ``close()``.
    private let newest = Atomic<UInt>(0)
    private let pending = Atomic<Int>(0)

    private static let closed = UInt.max

    deinit {
        takeAll { _ in
        } takeJob: { _ in
        }
    }

    var count: Int {
        @inline(__always) get { pending.load(ordering: .relaxed) }
    }

    /// Pushes a closure, which must be `@Sendable`. Any thread.
    func push(_ work: consuming PostedWork) -> Push {
        let node = UnsafeMutablePointer<Node>.allocate(capacity: 1)
        node.initialize(to: Node(work: work, next: 0))
        let result = push(Link(node))
        if result == .refused {
            node.deinitialize(count: 1)
            node.deallocate()
        }
        return result
    }

    /// Pushes a job. Any thread.
    func push(_ job: Job) -> Push { push(Link(job)) }

    @inline(__always)
    private func push(_ link: Link) -> Push {
        var head = newest.load(ordering: .relaxed)
        pending.wrappingAdd(1, ordering: .relaxed)
        while head != Self.closed {
            link.next = head
            let (exchanged, current) = newest.weakCompareExchange(
                expected: head,
                desired: link.bits,
                successOrdering: .releasing,
                failureOrdering: .relaxed
            )
            if exchanged { return head == 0 ? .queuedFirst : .queued }
            head = current
        }
        pending.wrappingSubtract(1, ordering: .relaxed)
        return .refused
    }

    var isEmpty: Bool {
        @inline(__always) get {
            let head = newest.load(ordering: .relaxed)
            return head == 0 || head == Self.closed
        }
    }

    /// Passes on everything in the queue, oldest first. Loop thread only.
    func takeAll(_ take: (consuming PostedWork) -> Void, takeJob: (Job) -> Void) {
        if isEmpty { return }
        var newer = newest.exchange(0, ordering: .acquiring)
        var oldest: UInt = 0
        while newer != 0 {
            let link = Link(bits: newer)
            newer = link.next
            link.next = oldest
            oldest = link.bits
        }
        var taken = 0
        while oldest != 0 {
            let link = Link(bits: oldest)
            oldest = link.next
            if let job = link.job {
                takeJob(job)
            } else {
                take(link.node.move().work)
                link.node.deallocate()
            }
            taken += 1
        }
        pending.wrappingSubtract(taken, ordering: .relaxed)
    }

    /// Refuses all later pushes; returns `false` if something is still waiting. Loop thread only.
    func close() -> Bool {
        newest.compareExchange(expected: 0, desired: Self.closed, ordering: .acquiringAndReleasing).exchanged
    }
}
