import Testing

@testable import MonitoredUV

struct FlightRingTests {
    private func lag(_ number: UInt64) -> DispatchLag {
        .exact(ready: number * 100, start: number * 100 + number % 7, .local)
    }

    @Test func ring_holdsTheLastDispatches_oldestFirst() {
        let ring = FlightRing(capacity: 16)
        #expect(ring.read() == [])
        for number in UInt64(1)...100 { ring.append(.timer, .other, number, number * 2, lag(number)) }
        let records = ring.read()
        // The oldest place may be the one that is written next.
        #expect(records.map(\.start) == Array(86...100))
        #expect(records.map(\.wallTime) == records.map { $0.start * 2 })
        #expect(records.map(\.lag) == records.map { $0.start % 7 })
        #expect(records.allSatisfy { $0.kind == .timer && $0.name == .other && $0.lagPrecision == .exact })
    }

    @Test func ring_isReadWhileItIsWritten_withoutATornRecord() throws {
        let ring = FlightRing(capacity: 64)
        let ended = Counter()
        let writer = try LoopThread(name: "writer") {
            for number in UInt64(1)...300_000 {
                ring.append(.read, CallbackName(id: UInt32(number & 1)), number, number * 3, self.lag(number))
            }
            ended.count()
        }
        var seen = 0
        repeat {
            let records = ring.read()
            seen += records.count
            for (record, next) in zip(records, records.dropFirst()) { #expect(next.start == record.start + 1) }
            for record in records {
                #expect(record.wallTime == record.start * 3)
                #expect(record.lag == record.start % 7)
                #expect(record.name.id == UInt32(record.start & 1))
            }
        } while ended.value == 0
        writer.join()
        #expect(ring.read().count == 63)
        #expect(seen > 0)
    }

    @Test func record_takes32Bytes() {
        #expect(MemoryLayout<Word>.size * 4 == 32)
        let options = MonitoringOptions()
        #expect(options.recordedDispatches * 32 == 2 << 20)
    }
}
