/// Identifies one wait in a ``TimerWheel``. The token of a wait that is over is harmless: it never refers to another
/// one.
struct TimerToken: Equatable {
    let slot: UInt32
    fileprivate let generation: UInt32
}

/// Waits for instants of the monotonic clock, in a hierarchical wheel: six levels of 256 buckets, the finest of which
/// are 1/64 ms long.
///
/// A wait comes out at the first 1/64 ms tick not before its due time, so never early. Waits come out in the order of
/// their due times to the nanosecond, and equal ones in the order in which they were started. Starting, stopping and
/// postponing a wait take constant time.
///
/// The links of a wait are in one block of memory and the rest in another, so that taking one out touches little
/// memory. Lists are circular; the first links are their heads. The bit of a bucket may stay set after its last wait
/// was stopped. Nothing here runs code of the payload, which is always handed out to be released elsewhere.
struct TimerWheel<Payload>: ~Copyable {
    private struct Links {
        var next: UInt32
        var previous: UInt32
    }

    private struct Wait {
        var due: UInt64
        var payload: Payload?
        /// 0 while the slot is free.
        var generation: UInt32
        var isReady: Bool
    }

    private typealias Order = (due: UInt64, place: Int, index: UInt32)

    private static var levels: Int { 6 }
    /// The head of the list of ready waits. It follows the heads of the buckets of all levels.
    private static var ready: UInt32 { 256 * 6 }
    private static var firstWait: UInt32 { ready + 1 }
    private static var leastCapacity: Int { 64 }

    private var links: UnsafeMutablePointer<Links>
    private var waits: UnsafeMutablePointer<Wait>
    private let bits: UnsafeMutablePointer<UInt64>
    private var capacity = Self.leastCapacity
    private var used = 0
    private var firstFree: UInt32 = 0
    private var lastGeneration: UInt32 = 0
    /// All buckets up to this tick are empty.
    private var current: UInt64
    private(set) var count = 0

    init(now: UInt64) {
        links = .allocate(capacity: Int(Self.firstWait) + capacity)
        for head in 0..<Self.firstWait { (links + Int(head)).initialize(to: Links(next: head, previous: head)) }
        waits = .allocate(capacity: capacity)
        bits = .allocate(capacity: Self.levels * 4)
        bits.initialize(repeating: 0, count: Self.levels * 4)
        current = now / tickLength
    }

    deinit {
        waits.deinitialize(count: used)
        waits.deallocate()
        links.deallocate()
        bits.deallocate()
    }

    // MARK: Waits

    /// Starts a wait. With `atOnce`, it is ready at once, whatever the time is.
    @inline(__always)
    mutating func start(due: UInt64, atOnce: Bool = false, _ payload: consuming Payload) -> TimerToken {
        let index: UInt32
        if firstFree != 0 {
            index = firstFree
            firstFree = links[Int(index)].next
        } else {
            if used == capacity { resize(to: capacity + capacity / 2) }
            index = Self.firstWait + UInt32(used)
            (waits + used).initialize(to: Wait(due: 0, payload: nil, generation: 0, isReady: false))
            used += 1
        }
        lastGeneration = lastGeneration == .max ? 1 : lastGeneration + 1
        let wait = wait(index)
        wait.pointee.due = due
        wait.pointee.payload = payload
        wait.pointee.generation = lastGeneration
        wait.pointee.isReady = atOnce
        count += 1
        if atOnce { append(index, to: Self.ready) } else { insert(index, tick: max(Self.tick(due), current + 1)) }
        return TimerToken(slot: index, generation: lastGeneration)
    }

    /// Stops a wait and returns its payload; `nil` if it is over.
    @inline(__always)
    mutating func stop(_ token: TimerToken) -> Payload? {
        guard isWaiting(token) else { return nil }
        unlink(token.slot)
        return free(token.slot)
    }

    /// Changes the due time of a wait; returns `false` if it is over. A later time is only stored: the wait is moved
    /// when its old time comes.
    @inline(__always)
    mutating func move(_ token: TimerToken, due: UInt64) -> Bool {
        guard isWaiting(token) else { return false }
        let wait = wait(token.slot)
        let isPutOff = due >= wait.pointee.due && !wait.pointee.isReady
        wait.pointee.due = due
        if isPutOff { return true }
        wait.pointee.isReady = false
        unlink(token.slot)
        insert(token.slot, tick: max(Self.tick(due), current + 1))
        return true
    }

    @inline(__always)
    func isWaiting(_ token: TimerToken) -> Bool {
        let place = Int(token.slot - Self.firstWait)
        return place < used && waits[place].generation == token.generation
    }

    /// Returns the payload of a wait; `nil` if it is over.
    @inline(__always)
    func payload(_ token: TimerToken) -> Payload? { isWaiting(token) ? wait(token.slot).pointee.payload : nil }

    /// Returns the due time of a wait; `nil` if it is over.
    func due(_ token: TimerToken) -> UInt64? { isWaiting(token) ? wait(token.slot).pointee.due : nil }

    /// Returns the token of the wait that is now in a slot, if its payload meets a condition.
    func token(at slot: UInt32, where condition: (borrowing Payload) -> Bool) -> TimerToken? {
        guard slot >= Self.firstWait, slot - Self.firstWait < UInt32(used) else { return nil }
        let wait = wait(slot)
        guard wait.pointee.payload.map(condition) == true else { return nil }
        return TimerToken(slot: slot, generation: wait.pointee.generation)
    }

    /// Calls `body` for each wait, in no particular order.
    func forEach(_ body: (TimerToken, borrowing Payload) -> Void) {
        for place in 0..<used {
            let wait = waits[place]
            guard let payload = wait.payload else { continue }
            body(TimerToken(slot: Self.firstWait + UInt32(place), generation: wait.generation), payload)
        }
    }

    // MARK: Time

    /// Collects the waits that are due at `now`, in order, for ``firstReady``.
    mutating func advance(to now: UInt64) {
        let target = now / tickLength
        while let (level, start) = firstBucket(), start <= target {
            current = start
            if level > 0 { spread(level) }
            expire()
        }
        current = max(current, target)
    }

    /// The first of the ready waits. It stays until it is stopped or moved.
    @inline(__always)
    var firstReady: (token: TimerToken, due: UInt64)? {
        let index = links[Int(Self.ready)].next
        if index == Self.ready { return nil }
        let wait = wait(index)
        return (TimerToken(slot: index, generation: wait.pointee.generation), wait.pointee.due)
    }

    /// Returns when ``advance(to:)`` must be called next, or a somewhat earlier time; `nil` if nothing waits.
    mutating func wakeTime() -> UInt64? {
        if links[Int(Self.ready)].next != Self.ready { return 0 }
        guard let (level, start) = firstBucket() else { return nil }
        if level == 0 { return start * tickLength }
        // Among a few waits in a coarse bucket, the first is found quickly and saves a wake-up at the start of the
        // bucket. Postponed waits may be due after the end of the bucket, where others come first.
        let head = bucket(level, start)
        var (least, index) = (start + 1 << UInt64(level << 3), links[Int(head)].next)
        for _ in 0..<16 {
            least = min(least, Self.tick(wait(index).pointee.due))
            index = links[Int(index)].next
            if index == head { return max(least, start) * tickLength }
        }
        return start * tickLength
    }

    /// Returns the instant at which a wait with this due time can come out.
    @inline(__always)
    static func ringTime(_ due: UInt64) -> UInt64 { tick(due) * tickLength }

    // MARK: Buckets

    /// Returns the tick of a due time, limited to the ticks that six levels hold.
    @inline(__always)
    private static func tick(_ due: UInt64) -> UInt64 { min((due &+ (tickLength - 1)) / tickLength, 1 << 48 - 1) }

    @inline(__always)
    private func wait(_ index: UInt32) -> UnsafeMutablePointer<Wait> { waits + Int(index &- Self.firstWait) }

    @inline(__always)
    private func bucket(_ level: Int, _ tick: UInt64) -> UInt32 {
        UInt32(truncatingIfNeeded: level << 8) | UInt32(truncatingIfNeeded: tick >> UInt64(level << 3) & 255)
    }

    @inline(__always)
    private func insert(_ index: UInt32, tick: UInt64) {
        let level = (63 &- ((tick ^ current) | 1).leadingZeroBitCount) >> 3
        let head = bucket(level, tick)
        append(index, to: head)
        bits[Int(head >> 6)] |= 1 << UInt64(head & 63)
    }

    @inline(__always)
    private func append(_ index: UInt32, to head: UInt32) {
        let last = links[Int(head)].previous
        links[Int(index)] = Links(next: head, previous: last)
        links[Int(last)].next = index
        links[Int(head)].previous = index
    }

    @inline(__always)
    private func unlink(_ index: UInt32) {
        let (next, previous) = (links[Int(index)].next, links[Int(index)].previous)
        links[Int(previous)].next = next
        links[Int(next)].previous = previous
    }

    @inline(__always)
    private func clear(_ head: UInt32) {
        links[Int(head)] = Links(next: head, previous: head)
        bits[Int(head >> 6)] &= ~(1 << UInt64(head & 63))
    }

    /// Returns the earliest bucket that has waits, and its first tick.
    private func firstBucket() -> (level: Int, start: UInt64)? {
        for level in 0..<Self.levels {
            let digit = UInt32(truncatingIfNeeded: current >> UInt64(level << 3) & 255)
            var word = Int(digit >> 6)
            var set = bits[level * 4 + word] & (UInt64.max << UInt64(digit & 63))
            while true {
                while set == 0 && word < 3 {
                    word += 1
                    set = bits[level * 4 + word]
                }
                if set == 0 { break }
                let found = UInt32(word) << 6 | UInt32(set.trailingZeroBitCount)
                let head = UInt32(level) << 8 | found
                if links[Int(head)].next != head {
                    let shift = UInt64(level << 3)
                    return (level, (current >> shift & ~255 | UInt64(found)) << shift)
                }
                bits[level * 4 + word] &= ~(set & (0 &- set))
                set &= set &- 1
            }
        }
        return nil
    }

    /// Distributes a coarse bucket, which begins at the current tick, over finer ones.
    private func spread(_ level: Int) {
        let head = bucket(level, current)
        var index = links[Int(head)].next
        clear(head)
        while index != head {
            let next = links[Int(index)].next
            insert(index, tick: max(Self.tick(wait(index).pointee.due), current))
            index = next
        }
    }

    /// Moves the waits in the finest bucket of the current tick to the ready ones, in order. Postponed waits go back.
    private func expire() {
        let head = bucket(0, current)
        var index = links[Int(head)].next
        var (last, count, isInOrder) = (UInt64(0), 0, true)
        while index != head {
            let next = links[Int(index)].next
            let due = wait(index).pointee.due
            if Self.tick(due) > current {
                unlink(index)
                insert(index, tick: Self.tick(due))
            } else {
                wait(index).pointee.isReady = true
                isInOrder = isInOrder && due >= last
                last = due
                count += 1
            }
            index = next
        }
        if !isInOrder { sort(head, count) }
        index = links[Int(head)].next
        let (first, end, tail) = (index, links[Int(head)].previous, links[Int(Self.ready)].previous)
        clear(head)
        if first == head { return }
        links[Int(tail)].next = first
        links[Int(first)].previous = tail
        links[Int(end)].next = Self.ready
        links[Int(Self.ready)].previous = end
    }

    private func sort(_ head: UInt32, _ count: Int) {
        withUnsafeTemporaryAllocation(of: Order.self, capacity: count) { buffer in
            var order = buffer
            var index = links[Int(head)].next
            for place in 0..<count {
                order.initializeElement(at: place, to: (wait(index).pointee.due, place, index))
                index = links[Int(index)].next
            }
            order.sort { $0.due != $1.due ? $0.due < $1.due : $0.place < $1.place }
            links[Int(head)] = Links(next: head, previous: head)
            for entry in order { append(entry.index, to: head) }
        }
    }

    // MARK: Memory

    @inline(__always)
    private mutating func free(_ index: UInt32) -> Payload? {
        let wait = wait(index)
        wait.pointee.generation = 0
        let payload = wait.pointee.payload.take()
        links[Int(index)].next = firstFree
        firstFree = index
        count -= 1
        if count == 0 && capacity > 1024 { shrink() }
        return payload
    }

    /// Frees the memory of a burst that is over.
    @inline(never)
    private mutating func shrink() {
        waits.deinitialize(count: used)
        used = 0
        firstFree = 0
        resize(to: Self.leastCapacity)
    }

    @inline(never)
    private mutating func resize(to newCapacity: Int) {
        let newWaits = UnsafeMutablePointer<Wait>.allocate(capacity: newCapacity)
        newWaits.moveInitialize(from: waits, count: used)
        waits.deallocate()
        waits = newWaits
        let newLinks = UnsafeMutablePointer<Links>.allocate(capacity: Int(Self.firstWait) + newCapacity)
        newLinks.moveInitialize(from: links, count: Int(Self.firstWait) + used)
        links.deallocate()
        links = newLinks
        capacity = newCapacity
    }
}

/// The length of a tick in nanoseconds: 1/64 ms, so that whole milliseconds are whole ticks.
private let tickLength: UInt64 = 15_625
