/// Finds out which dispatches kept which others waiting: everything that ran between the instant at which a dispatch was
/// ready and its start.
///
/// Settled for all dispatches of an iteration together, from what the ring holds. Looks back over the last 2,048
/// dispatches. Loop thread only.
struct BlameLedger: ~Copyable {
    private static let window: UInt64 = 2048
    /// So many at a time, so that an iteration may be of any length.
    static let batch: UInt64 = 512

    /// The first dispatch that is not settled.
    private(set) var settled: UInt64 = 0
    /// For the dispatches of window and batch: by how much the number of those who wait changes with it.
    private let changes = UnsafeMutablePointer<Int32>.allocate(capacity: Int(window * 2))
    private static let mask = window * 2 - 1

    init() { changes.initialize(repeating: 0, count: Int(Self.window * 2)) }

    deinit { changes.deallocate() }

    /// Charges the dispatches up to the last one.
    mutating func settle(_ ring: FlightRing, _ names: NameTable) {
        let end = ring.count
        while settled < end { settle(upTo: min(end, settled + Self.batch), ring, names) }
    }

    private mutating func settle(upTo end: UInt64, _ ring: FlightRing, _ names: NameTable) {
        let reach = min(Self.window, ring.capacity - Self.batch)
        let begin = settled > reach ? settled - reach : 0
        var first = settled
        var earliest = end
        var waiter = settled
        while waiter < end {
            defer { waiter += 1 }
            guard waiter > begin, let ready = ring.ready(waiter), ready < ring.end(waiter - 1) else { continue }
            // The first that had not ended when this one was ready. Whoever waits in the same queue as the one before
            // finds it near.
            first = min(first, waiter - 1)
            while first < waiter - 1 && ring.end(first) <= ready { first += 1 }
            while first > begin && ring.end(first - 1) > ready { first -= 1 }
            // That one may have run for a while already; those after it are to blame for all of their time.
            names.addBlame(ring.name(first), ring.end(first) - max(ready, ring.start(first)))
            ring.addWaiters(first, 1)
            if first + 1 < waiter {
                change(first + 1).pointee += 1
                change(waiter).pointee -= 1
                earliest = min(earliest, first + 1)
            }
        }
        charge(from: earliest, upTo: end, ring, names)
        settled = end
    }

    private func charge(from first: UInt64, upTo end: UInt64, _ ring: FlightRing, _ names: NameTable) {
        var waiting: Int32 = 0
        for number in first..<end {
            waiting += change(number).pointee
            change(number).pointee = 0
            if waiting == 0 { continue }
            names.addBlame(ring.name(number), ring.wallTime(number) * UInt64(waiting))
            ring.addWaiters(number, UInt64(waiting))
        }
    }

    @inline(__always)
    private func change(_ number: UInt64) -> UnsafeMutablePointer<Int32> {
        changes + Int(truncatingIfNeeded: number & Self.mask)
    }
}
