/// Where a sleep is kept: the number of its loop, and its place there.
struct SleepTicket: Equatable {
    let loop: UInt32
    let slot: UInt32

    init(loop: UInt32, slot: UInt32) {
        self.loop = loop
        self.slot = slot
    }

    init(bits: UInt) { self.init(loop: UInt32(bits >> 32), slot: UInt32(truncatingIfNeeded: bits)) }

    var bits: UInt { UInt(loop) << 32 | UInt(slot) }
}

/// The sleeps of one loop, the earliest first: a heap, in which each can be found again to be taken out.
///
/// 48 bytes a sleep, in two blocks of memory that grow with the most that slept at once.
struct SleepQueue {
    /// A job that waits for its time, and the address of the task that sleeps until it runs; 0 if there is none.
    struct Sleeper {
        let job: Job
        let task: UInt
    }

    private struct Entry {
        let due: UInt64
        let slot: UInt32
    }

    private struct Slot {
        var sleeper: Sleeper?
        /// In the heap; of a free slot, the next free one.
        var place: Int32
    }

    private var heap: [Entry] = []
    private var slots: [Slot] = []
    private var firstFree: Int32 = -1

    var count: Int {
        @inline(__always) get { heap.count }
    }

    var earliest: UInt64? { heap.first?.due }

    /// The tasks that sleep, as far as they are known.
    var tasks: [UInt] { slots.compactMap { $0.sleeper?.task }.filter { $0 != 0 } }

    /// Returns the slot, which is the sleep's until it is woken or removed.
    mutating func insert(_ sleeper: Sleeper, due: UInt64) -> UInt32 {
        let slot: Int32
        if firstFree >= 0 {
            slot = firstFree
            firstFree = slots[Int(slot)].place
            slots[Int(slot)].sleeper = sleeper
        } else {
            slot = Int32(slots.count)
            slots.append(Slot(sleeper: sleeper, place: 0))
        }
        heap.append(Entry(due: due, slot: UInt32(slot)))
        rise(heap.count - 1)
        return UInt32(slot)
    }

    /// The earliest sleep that is due at `now`.
    mutating func removeFirst(dueAt now: UInt64) -> (sleeper: Sleeper, due: UInt64)? {
        guard let first = heap.first, first.due <= now else { return nil }
        return (remove(at: 0), first.due)
    }

    /// The job that `task` waits for in `slot`; `nil` if that sleep is over.
    mutating func remove(_ slot: UInt32, ifOf task: UInt) -> Job? {
        guard Int(slot) < slots.count, let sleeper = slots[Int(slot)].sleeper, sleeper.task == task else { return nil }
        return remove(at: Int(slots[Int(slot)].place)).job
    }

    private mutating func remove(at place: Int) -> Sleeper {
        let slot = Int(heap[place].slot)
        let last = heap.removeLast()
        if place < heap.count {
            heap[place] = last
            slots[Int(last.slot)].place = Int32(place)
            rise(place)
            sink(Int(slots[Int(last.slot)].place))
        }
        let sleeper = slots[slot].sleeper!
        slots[slot] = Slot(sleeper: nil, place: firstFree)
        firstFree = Int32(slot)
        return sleeper
    }

    private mutating func rise(_ start: Int) {
        let entry = heap[start]
        var place = start
        while place > 0, entry.due < heap[(place - 1) / 4].due {
            move(from: (place - 1) / 4, to: place)
            place = (place - 1) / 4
        }
        put(entry, at: place)
    }

    private mutating func sink(_ start: Int) {
        let entry = heap[start]
        var place = start
        while place * 4 + 1 < heap.count {
            let children = place * 4 + 1..<min(place * 4 + 5, heap.count)
            let least = children.min { heap[$0].due < heap[$1].due }!
            if heap[least].due >= entry.due { break }
            move(from: least, to: place)
            place = least
        }
        put(entry, at: place)
    }

    private mutating func move(from source: Int, to place: Int) { put(heap[source], at: place) }

    private mutating func put(_ entry: Entry, at place: Int) {
        heap[place] = entry
        slots[Int(entry.slot)].place = Int32(place)
    }
}
