import Synchronization

/// What the dispatches of each name took: for so many names, those that weigh most, and for all others together.
///
/// Written by the loop's thread, read by any. When a name comes for which there is no room, the lightest quarter of
/// those that are there joins the others.
final class NameTable: @unchecked Sendable {
    // `@unchecked Sendable`: `slots` and `free` are the loop thread's alone; the entries are atomic words.

    /// One name's words: its number, which is 0 for nobody; when it got its place; its blame; its wall times.
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
    private let words: UnsafeMutablePointer<Word>
    /// By a name's number: where its entry is.
    private let slots: UnsafeMutablePointer<UInt16>
    /// Entries without a name, the next one last.
    private var free: [Int]
    private var epochs: UInt64 = 0

    private static let others = 0

    /// - Parameter capacity: How many names have a place of their own.
    init(capacity: Int) {
        precondition((1...4096).contains(capacity))
        self.capacity = capacity
        words = .allocateZeroed((capacity + 1) * Entry.wordCount)
        slots = .allocate(capacity: CallbackName.limit)
        slots.initialize(repeating: UInt16.max, count: CallbackName.limit)
        free = Array((1...capacity).reversed())
        entry(Self.others).id.value = UInt64(CallbackName.other.id)
        slots[Int(CallbackName.other.id)] = UInt16(Self.others)
    }

    deinit {
        words.deallocateZeroed()
        slots.deallocate()
    }

    @inline(__always)
    private func entry(_ slot: Int) -> Entry { Entry(words: words + slot &* Entry.wordCount) }

    // MARK: Loop thread

    @inline(__always)
    func record(_ name: CallbackName, _ wall: UInt64) { entry(slot(of: name)).wallTime.record(wall) }

    /// Others waited so long for dispatches of this name.
    @inline(__always)
    func addBlame(_ name: CallbackName, _ waited: UInt64) { entry(slot(of: name)).blame.add(waited) }

    @inline(__always)
    private func slot(of name: CallbackName) -> Int {
        let slot = slots[Int(name.id)]
        return _fastPath(slot != .max) ? Int(slot) : place(name)
    }

    @inline(never)
    private func place(_ name: CallbackName) -> Int {
        if free.isEmpty { evict() }
        let slot = free.removeLast()
        epochs += 1
        entry(slot).epoch.value = epochs
        entry(slot).id.pointee.store(UInt64(name.id) + 1, ordering: .releasing)
        slots[Int(name.id)] = UInt16(slot)
        return slot
    }

    private func evict() {
        let byWeight = (1...capacity).sorted { entry($0).weight < entry($1).weight }
        for slot in byWeight.prefix(max(1, capacity / 4)) {
            let leaving = entry(slot)
            slots[Int(leaving.id.value - 1)] = .max
            // Who reads the rest looks at this once more.
            leaving.id.value = 0
            atomicMemoryFence(ordering: .releasing)
            entry(Self.others).blame.add(leaving.blame.value)
            entry(Self.others).wallTime.absorb(leaving.wallTime)
            leaving.blame.value = 0
            free.append(slot)
        }
    }

    // MARK: Any thread

    /// Every name that has a place, and the others under `_OTHER`. What a name has that is just leaving may be missing.
    func read() -> [NameStatistics] {
        var found: [UInt64: NameStatistics] = [:]
        for slot in 0...capacity {
            guard let (id, statistics) = readEntry(slot) else { continue }
            // A name that left and came back meanwhile may have been read in both places.
            if let known = found[id], known.epoch > statistics.epoch { continue }
            found[id] = statistics
        }
        return Array(found.values)
    }

    private func readEntry(_ slot: Int) -> (UInt64, NameStatistics)? {
        let entry = entry(slot)
        for _ in 0..<4 {
            let id = entry.id.pointee.load(ordering: .acquiring)
            if id == 0 { return nil }
            let epoch = entry.epoch.value
            let (wallTime, blame) = (entry.wallTime.read(), entry.blame.value)
            atomicMemoryFence(ordering: .acquiring)
            if entry.id.value != id || entry.epoch.value != epoch { continue }
            if slot == Self.others && wallTime.count == 0 { return nil }
            let name = slot == Self.others ? CallbackName.other : CallbackName(id: UInt32(id - 1))
            return (
                slot == Self.others ? 0 : id,
                NameStatistics(name: name.text, wallTime: wallTime, blameNanoseconds: blame, epoch: epoch)
            )
        }
        return nil
    }
}
