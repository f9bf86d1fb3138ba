import Synchronization

/// A dispatch as stored by the flight recorder, in 32 bytes.
struct FlightRecord: Sendable, Equatable {
    var start: UInt64
    var wallTime: UInt64
    var lag: UInt64
    var lagPrecision: DispatchLag.Precision
    var kind: CallbackKind
    var name: CallbackName
    /// The number of later dispatches that waited for this one.
    var waiters: UInt32

    var ready: UInt64 { start &- lag }
    var end: UInt64 { start &+ wallTime }
}

/// The most recent dispatches of a loop. Its thread writes them, and any thread reads them, without a lock.
///
/// A reader copies the words and then checks how far the writer has come in the meantime. Records that may have been
/// overwritten are left out.
final class FlightRing: Sendable {
    private let words: Words
    private let mask: UInt64
    /// The number of recorded dispatches. The ring holds the last of them.
    private let written = Word(0)

    /// - Parameter capacity: A power of two.
    init(capacity: Int) {
        precondition(capacity > 1 && capacity & (capacity - 1) == 0)
        words = .allocateZeroed(capacity * 4)
        mask = UInt64(capacity - 1)
    }

    deinit { words.deallocate() }

    var capacity: UInt64 {
        @inline(__always) get { mask &+ 1 }
    }

    var count: UInt64 {
        @inline(__always) get { written.load(ordering: .acquiring) }
    }

    // MARK: Loop thread

    @inline(__always)
    func append(
        _ kind: CallbackKind,
        _ name: CallbackName,
        _ start: UInt64,
        _ wall: UInt64,
        _ lag: DispatchLag
    ) {
        let number = count
        let record = at(number)
        // The count of the previous record must be visible before the words overwritten now.
        atomicMemoryFence(ordering: .releasing)
        record.value = start
        (record + 1).value = wall | UInt64(kind.number) &<< 56
        (record + 2).value = lag.upper | UInt64(lag.precision.rawValue) &<< 62
        (record + 3).value = UInt64(name.id)
        written.store(number &+ 1, ordering: .releasing)
    }

    /// Returns the start of a dispatch by its number. The ring must still hold it, here and in the functions below.
    @inline(__always)
    func start(_ number: UInt64) -> UInt64 { at(number).value }

    @inline(__always)
    func wallTime(_ number: UInt64) -> UInt64 { (at(number) + 1).value & (1 &<< 56 &- 1) }

    @inline(__always)
    func end(_ number: UInt64) -> UInt64 { start(number) &+ wallTime(number) }

    /// Returns when the dispatch became ready; `nil` if it did not wait.
    @inline(__always)
    func ready(_ number: UInt64) -> UInt64? {
        let lag = (at(number) + 2).value
        return lag &>> 62 == UInt64(DispatchLag.Precision.notApplicable.rawValue)
            ? nil : start(number) &- (lag & (1 &<< 62 &- 1))
    }

    @inline(__always)
    func name(_ number: UInt64) -> CallbackName { CallbackName(id: UInt32(truncatingIfNeeded: (at(number) + 3).value)) }

    @inline(__always)
    func addWaiters(_ number: UInt64, _ more: UInt64) { (at(number) + 3).add(more &<< 32) }

    @inline(__always)
    private func at(_ number: UInt64) -> UnsafeMutablePointer<Word> {
        words + Int(truncatingIfNeeded: (number & mask) &* 4)
    }

    // MARK: Any thread

    /// Returns the records in the ring, oldest first.
    func read() -> [FlightRecord] {
        let end = written.load(ordering: .acquiring)
        return read((end > capacity ? end - capacity : 0)..<end)
    }

    private func read(_ numbers: Range<UInt64>) -> [FlightRecord] {
        let records = numbers.map { record($0) }
        atomicMemoryFence(ordering: .acquiring)
        // The record that is being written may be incomplete.
        let overwritten = written.load(ordering: .relaxed) + 1
        let valid = overwritten > capacity ? overwritten - capacity : 0
        let begin = numbers.lowerBound
        return Array(records.dropFirst(valid > begin ? Int(min(valid - begin, UInt64(records.count))) : 0))
    }

    /// Returns the dispatches in the ring that began at `start` or later, oldest first.
    func read(since start: UInt64) -> [FlightRecord] {
        let end = written.load(ordering: .acquiring)
        let oldest = end > capacity ? end - capacity : 0
        var begin = end
        while begin > oldest, self.start(begin - 1) >= start { begin -= 1 }
        return read(begin..<end)
    }

    private func record(_ number: UInt64) -> FlightRecord {
        let record = at(number)
        let (wall, lag, name) = ((record + 1).value, (record + 2).value, (record + 3).value)
        return FlightRecord(
            start: record.value,
            wallTime: wall & (1 << 56 - 1),
            lag: lag & (1 << 62 - 1),
            lagPrecision: DispatchLag.Precision(rawValue: UInt8(lag >> 62)) ?? .notApplicable,
            kind: CallbackKind(number: UInt8(wall >> 56)),
            name: CallbackName(id: UInt32(truncatingIfNeeded: name)),
            waiters: UInt32(truncatingIfNeeded: name >> 32)
        )
    }
}
