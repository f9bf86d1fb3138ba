import MonitoredUVPlatform
import Synchronization

/// The statistics of the heaviest names, up to a fixed number, and of all others combined.
///
/// The loop's thread writes and never waits; any thread reads. When there is no room for a new name, the lightest
/// quarter of the names in the table joins the others.
final class NameTable: @unchecked Sendable {
    // `@unchecked Sendable`: only the loop's thread uses `slots` and `free`; the entries are atomic words.

    /// The words of one entry: its name, 0 if the entry is free; its residency; its blame; its wall times.
    private struct Entry {
        let words: UnsafeMutablePointer<Word>
        static let wordCount = 3 + HistogramStorage.wordCount(.coarse)

        var id: UnsafeMutablePointer<Word> { words }
        var epoch: UnsafeMutablePointer<Word> { words + 1 }
        var blame: UnsafeMutablePointer<Word> { words + 2 }
        @inline(__always) var wallTime: HistogramStorage { HistogramStorage(words + 3, .coarse) }
        var weight: UInt64 { wallTime.sum.value &+ blame.value }
    }

    private let capacity: Int
    private let words: Words
    /// The entry of each registered name, by the name's number. Passing names have none here.
    private let slots: UnsafeMutablePointer<UInt16>
    /// The entry of each passing name, by the name's place. It is valid if the entry holds that name's number.
    private let passingSlots: UnsafeMutablePointer<UInt16>
    /// Free entries; the next to be used is last.
    private var free: [Int]
    private var epochs: UInt64 = 0
    private let readers = Atomic<Int>(0)
    private let isEvicting = Atomic<Bool>(false)

    private static let others = 0

    /// - Parameter capacity: The number of names with their own entry.
    init(capacity: Int) {
        precondition((1...4096).contains(capacity))
        self.capacity = capacity
        words = .allocateZeroed((capacity + 1) * Entry.wordCount)
        slots = .allocate(capacity: CallbackName.limit + PassingNames.capacity)
        slots.initialize(repeating: UInt16.max, count: CallbackName.limit + PassingNames.capacity)
        passingSlots = .allocate(capacity: PassingNames.capacity)
        passingSlots.initialize(repeating: UInt16.max, count: PassingNames.capacity)
        free = Array((1...capacity).reversed())
        entry(Self.others).id.value = UInt64(CallbackName.other.id)
        slots[Int(CallbackName.other.id)] = UInt16(Self.others)
    }

    deinit {
        words.deallocate()
        slots.deallocate()
        passingSlots.deallocate()
    }

    @inline(__always)
    private func entry(_ slot: Int) -> Entry { Entry(words: words + slot &* Entry.wordCount) }

    // MARK: Loop thread

    @inline(__always)
    func record(_ name: CallbackName, _ wall: UInt64) { record(name, wall, fine: LogLinearBins.fine.index(of: wall)) }

    /// Records a wall time whose fine bin is known.
    @inline(__always)
    func record(_ name: CallbackName, _ wall: UInt64, fine bin: Int) {
        entry(slot(of: name)).wallTime.record(wall, in: LogLinearBins.coarseIndex(of: wall, fine: bin))
    }

    /// Adds the time that others waited for dispatches of this name.
    @inline(__always)
    func addBlame(_ name: CallbackName, _ waited: UInt64) { entry(slot(of: name)).blame.add(waited) }

    @inline(__always)
    private func slot(of name: CallbackName) -> Int {
        let slot = slots[name.place]
        return _fastPath(slot != .max) ? Int(slot) : find(name)
    }

    @inline(never)
    private func find(_ name: CallbackName) -> Int {
        if name.id < UInt32(CallbackName.limit) { return place(name) }
        let slot = passingSlots[PassingNames.place(of: name)]
        return slot != .max && entry(Int(slot)).id.value == UInt64(name.id) + 1 ? Int(slot) : place(name)
    }

    /// Returns the place that holds the index of the name's entry.
    private func cell(of name: CallbackName) -> UnsafeMutablePointer<UInt16> {
        name.id < UInt32(CallbackName.limit) ? slots + Int(name.id) : passingSlots + PassingNames.place(of: name)
    }

    private func place(_ name: CallbackName) -> Int {
        if free.isEmpty { evict() }
        guard let slot = free.popLast() else { return Self.others }
        epochs += 1
        entry(slot).epoch.value = epochs
        entry(slot).id.pointee.store(UInt64(name.id) + 1, ordering: .releasing)
        cell(of: name).pointee = UInt16(slot)
        return slot
    }

    /// Makes room, unless the table is being read: the reader would miss evicted names, or count them twice.
    private func evict() {
        isEvicting.store(true, ordering: .sequentiallyConsistent)
        defer { isEvicting.store(false, ordering: .releasing) }
        if readers.load(ordering: .sequentiallyConsistent) > 0 { return }
        let byWeight = (1...capacity).sorted { entry($0).weight < entry($1).weight }
        for slot in byWeight.prefix(max(1, capacity / 4)) {
            let leaving = entry(slot)
            // A passing name's place may belong to another name by now.
            let cell = cell(of: CallbackName(id: UInt32(leaving.id.value - 1)))
            if cell.pointee == UInt16(slot) { cell.pointee = .max }
            leaving.id.value = 0
            entry(Self.others).blame.add(leaving.blame.value)
            entry(Self.others).wallTime.absorb(leaving.wallTime)
            leaving.blame.value = 0
            free.append(slot)
        }
    }

    // MARK: Any thread

    /// Returns every name that has an entry, and the others as `_OTHER`. Nothing is missing or counted twice. No name
    /// is evicted during the read, so new names may count as others.
    ///
    /// - Parameter pause: Called between any two entries, for tests.
    func read(pause: () -> Void = {}) -> [NameStatistics] {
        readers.wrappingAdd(1, ordering: .sequentiallyConsistent)
        defer { readers.wrappingSubtract(1, ordering: .releasing) }
        // An eviction takes about ten microseconds. The wait is limited, because the loop's thread may be stopped in
        // one.
        var patience = 10_000
        while patience > 0 && isEvicting.load(ordering: .sequentiallyConsistent) {
            sched_yield()
            patience -= 1
        }
        let entries = (0...capacity).compactMap { slot in
            pause()
            return readEntry(slot)
        }
        // Forgotten names count as others, and a task may have the same name as a handle or a closure.
        return Dictionary(grouping: entries, by: \.callbackName).values.map { same in
            same.count == 1 && same[0].callbackName != CallbackName.other.text ? same[0] : NameStatistics(sumOf: same)
        }
    }

    private func readEntry(_ slot: Int) -> NameStatistics? {
        let entry = entry(slot)
        let id = entry.id.pointee.load(ordering: .acquiring)
        if id == 0 { return nil }
        let (wallTime, blame) = (entry.wallTime.read(), entry.blame.value)
        if slot == Self.others && wallTime.count == 0 { return nil }
        let name = slot == Self.others ? CallbackName.other : CallbackName(id: UInt32(id - 1))
        return NameStatistics(name: name.text, wallTime: wallTime, blameNanoseconds: blame, epoch: entry.epoch.value)
    }
}
