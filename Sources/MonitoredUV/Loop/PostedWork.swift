/// A closure waiting to run on its loop.
struct PostedWork {
    let body: () -> Void
    let site: CallSite
    /// The instant at which it became ready; 0 if nothing was monitoring.
    let posted: UInt64
    let kind: CallbackKind
    let isRemote: Bool
}

/// A first-in, first-out queue in one reused block of memory. Loop thread only.
struct PostedQueue: ~Copyable {
    private static let initialCapacity = 64
    /// The capacity above which a block is freed once the queue is empty.
    static let keptCapacity = 16 * 1024
    private var slots: UnsafeMutablePointer<PostedWork>
    private(set) var capacity = initialCapacity
    private var head = 0
    private(set) var count = 0

    init() { slots = .allocate(capacity: capacity) }

    deinit {
        for offset in 0..<count { (slots + ((head &+ offset) & (capacity &- 1))).deinitialize(count: 1) }
        slots.deallocate()
    }

    @inline(__always)
    var isEmpty: Bool { count == 0 }

    @inline(__always)
    mutating func append(_ work: consuming PostedWork) {
        if count == capacity { grow() }
        (slots + ((head &+ count) & (capacity &- 1))).initialize(to: work)
        count &+= 1
    }

    /// Removes and returns the first closure. The queue must not be empty.
    @inline(__always)
    mutating func removeFirst() -> PostedWork {
        let work = (slots + head).move()
        head = (head &+ 1) & (capacity &- 1)
        count &-= 1
        return work
    }

    /// Frees the memory that an unusual number of closures has taken. The queue must be empty.
    @inline(__always)
    mutating func shrink() { if _slowPath(capacity > Self.keptCapacity) { startAnew() } }

    @inline(never)
    private mutating func startAnew() {
        slots.deallocate()
        capacity = Self.initialCapacity
        slots = .allocate(capacity: capacity)
        head = 0
    }

    @inline(never)
    private mutating func grow() {
        let larger = UnsafeMutablePointer<PostedWork>.allocate(capacity: capacity * 2)
        larger.moveInitialize(from: slots + head, count: capacity - head)
        (larger + (capacity - head)).moveInitialize(from: slots, count: head)
        slots.deallocate()
        slots = larger
        capacity *= 2
        head = 0
    }
}
