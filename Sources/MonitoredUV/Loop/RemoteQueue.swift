import Synchronization

/// What other threads post: a lock-free stack that the loop takes as a whole and turns around.
///
/// Only the push that finds it empty has to wake the loop, so a burst of posts costs one wake-up.
struct RemoteQueue: ~Copyable, Sendable {
    enum Push { case queued, queuedFirst, refused }

    private struct Node {
        let work: PostedWork
        var next: UnsafeMutablePointer<Node>?
    }

    /// The address of the newest node, 0 where there is none, ``closed`` for good after ``close()``.
    private let newest = Atomic<UInt>(0)
    private let pending = Atomic<Int>(0)

    private static let closed: UInt = 1

    deinit { takeAll { _ in } }

    var count: Int {
        @inline(__always) get { pending.load(ordering: .relaxed) }
    }

    /// Any thread. The work's closure must be `@Sendable`.
    func push(_ work: consuming PostedWork) -> Push {
        let node = UnsafeMutablePointer<Node>.allocate(capacity: 1)
        var head = newest.load(ordering: .relaxed)
        node.initialize(to: Node(work: work, next: nil))
        pending.wrappingAdd(1, ordering: .relaxed)
        while head != Self.closed {
            node.pointee.next = UnsafeMutablePointer(bitPattern: head)
            let (exchanged, current) = newest.weakCompareExchange(
                expected: head,
                desired: UInt(bitPattern: node),
                successOrdering: .releasing,
                failureOrdering: .relaxed
            )
            if exchanged { return head == 0 ? .queuedFirst : .queued }
            head = current
        }
        node.deinitialize(count: 1)
        node.deallocate()
        pending.wrappingSubtract(1, ordering: .relaxed)
        return .refused
    }

    var isEmpty: Bool {
        @inline(__always) get { newest.load(ordering: .relaxed) <= Self.closed }
    }

    /// Loop thread: hands over what is there, oldest first.
    func takeAll(_ take: (consuming PostedWork) -> Void) {
        if isEmpty { return }
        var newer = UnsafeMutablePointer<Node>(bitPattern: newest.exchange(0, ordering: .acquiring))
        var oldest: UnsafeMutablePointer<Node>?
        while let node = newer {
            newer = node.pointee.next
            node.pointee.next = oldest
            oldest = node
        }
        var taken = 0
        while let node = oldest {
            oldest = node.pointee.next
            take(node.move().work)
            node.deallocate()
            taken += 1
        }
        pending.wrappingSubtract(taken, ordering: .relaxed)
    }

    /// Loop thread: refuses all later pushes; fails if something still waits.
    func close() -> Bool {
        newest.compareExchange(expected: 0, desired: Self.closed, ordering: .acquiringAndReleasing).exchanged
    }
}
