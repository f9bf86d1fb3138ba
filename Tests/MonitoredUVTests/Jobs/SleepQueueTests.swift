import Testing

@testable import MonitoredUV

@Suite struct SleepQueueTests {
    /// Jobs are told by their addresses here, and never run.
    private func job(_ number: Int) -> Job { Job(address: UInt(number) * 16)! }

    @Test func sleepsComeOutInTheOrderOfTheirDueTimes_andNoneBefore() {
        var queue = SleepQueue()
        var random = SystemRandomNumberGenerator()
        let dues = (1...2000).map { _ in UInt64.random(in: 0...1000, using: &random) }
        for (number, due) in dues.enumerated() {
            _ = queue.insert(SleepQueue.Sleeper(job: job(number + 1), task: 0), due: due)
        }
        #expect(queue.earliest == dues.min())
        #expect(queue.count == 2000)
        var woken: [UInt64] = []
        while let next = queue.removeFirst(dueAt: 500) { woken.append(next.due) }
        #expect(woken == dues.filter { $0 <= 500 }.sorted())
        while let next = queue.removeFirst(dueAt: 1000) { woken.append(next.due) }
        #expect(woken == dues.sorted())
        #expect(queue.count == 0)
    }

    @Test func anySleepCanBeTakenOut_byItsTaskAlone_andItsPlaceIsUsedAgain() {
        var queue = SleepQueue()
        var expected: [(due: UInt64, job: Job)] = []
        var slots: [UInt32] = []
        for round in 0..<3 {
            slots = []
            for number in 1...500 {
                let due = UInt64((number * 7919 + round) % 500)
                slots.append(queue.insert(SleepQueue.Sleeper(job: job(number), task: UInt(number)), due: due))
                expected.append((due, job(number)))
            }
            for number in stride(from: 1, through: 500, by: 2) {
                #expect(queue.remove(slots[number - 1], ifOf: UInt(number + 1)) == nil, "another task's")
                #expect(queue.remove(slots[number - 1], ifOf: UInt(number)) == job(number))
                #expect(queue.remove(slots[number - 1], ifOf: UInt(number)) == nil, "a second time")
                let place = expected.lastIndex { $0.job == job(number) }!
                expected.remove(at: place)
            }
        }
        #expect(queue.count == 750)
        #expect(slots.max()! < 1500)
        var woken: [UInt64] = []
        while let next = queue.removeFirst(dueAt: 1000) { woken.append(next.due) }
        #expect(woken == expected.map(\.due).sorted())
        #expect(queue.remove(99_999, ifOf: 1) == nil, "a place that never was")
    }
}
