/// Determines which dispatches kept which others waiting: everything that ran between the instant at which a dispatch
/// became ready and its start, going back at least 512 dispatches.
///
/// A dispatch that waited for several others is recorded as a change in the number of waiters, from the first to the
/// last of them. All are charged together when the iteration ends. Loop thread only.
struct BlameLedger: ~Copyable {
    /// A waiter looks back 512 to 1,024 dispatches: at most to the one before the last whose number is a multiple of this.
    private static let window: UInt64 = 512
    private static let mask: UInt64 = 4 * window - 1

    /// The change in the number of waiters at each dispatch.
    private let changes = UnsafeMutablePointer<Int32>.allocate(capacity: Int(mask) + 1)
    /// The first dispatch with a change; `.max` if there is none.
    private var earliest = UInt64.max

    /// The first dispatch that the last waiter waited for. Later dispatches in its queue often waited for the same one.
    private var first = UInt64.max
    private var firstStart: UInt64 = 0
    private var firstEnd: UInt64 = 0
    /// The charge to that dispatch: the number of its waiters, their total wait, and how many also waited for the next
    /// one.
    private var waiters: UInt64 = 0
    private var waited: UInt64 = 0
    private var stayed: Int32 = 0

    init() { changes.initialize(repeating: 0, count: Int(Self.mask) + 1) }

    deinit { changes.deallocate() }

    /// Adds dispatch number `waiter`, the next to be recorded, which had been ready since before the last one ended.
    @inline(__always)
    mutating func add(_ waiter: UInt64, readySince ready: UInt64, _ ring: FlightRing, _ names: NameTable) {
        let isSame = ready >= firstStart && ready < firstEnd && waiter &- first < Self.window
        if !isSame { find(waiter, ready, ring, names) }
        // The first one may already have been running. The dispatches after it are to blame for their whole durations.
        waiters &+= 1
        waited &+= firstEnd &- max(ready, firstStart)
        if waiter != first &+ 1 {
            stayed &+= 1
            change(waiter).pointee &-= 1
        }
    }

    @inline(never)
    private mutating func find(_ waiter: UInt64, _ ready: UInt64, _ ring: FlightRing, _ names: NameTable) {
        let begin = waiter < 2 * Self.window ? 0 : (waiter / Self.window - 1) * Self.window
        var found = max(begin, min(first, waiter - 1))
        if ring.start(waiter - 1) <= ready { found = waiter - 1 }
        while found < waiter - 1 && ring.end(found) <= ready { found += 1 }
        while found > begin && ring.end(found - 1) > ready { found -= 1 }
        if found == first { return }
        chargeFirst(ring, names)
        if earliest != .max && waiter - earliest > 2 * Self.window { chargeChanges(ring, names) }
        first = found
        firstStart = ring.start(found)
        firstEnd = ring.end(found)
    }

    /// Charges all waits so far.
    @inline(__always)
    mutating func settle(_ ring: FlightRing, _ names: NameTable) {
        if waiters == 0 && earliest == .max { return }
        chargeFirst(ring, names)
        if earliest != .max { chargeChanges(ring, names) }
    }

    private mutating func chargeFirst(_ ring: FlightRing, _ names: NameTable) {
        if waiters == 0 { return }
        names.addBlame(ring.name(first), waited)
        ring.addWaiters(first, waiters)
        if stayed > 0 {
            change(first + 1).pointee &+= stayed
            earliest = min(earliest, first + 1)
        }
        (waiters, waited, stayed) = (0, 0, 0)
    }

    private mutating func chargeChanges(_ ring: FlightRing, _ names: NameTable) {
        var waiting: Int32 = 0
        let end = ring.count
        for number in earliest..<end {
            waiting &+= change(number).pointee
            change(number).pointee = 0
            if waiting <= 0 { continue }
            names.addBlame(ring.name(number), ring.wallTime(number) &* UInt64(waiting))
            ring.addWaiters(number, UInt64(waiting))
        }
        earliest = .max
    }

    @inline(__always)
    private func change(_ number: UInt64) -> UnsafeMutablePointer<Int32> {
        changes + Int(truncatingIfNeeded: number & Self.mask)
    }
}
