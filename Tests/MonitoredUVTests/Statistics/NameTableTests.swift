import Testing

@testable import MonitoredUV

struct NameTableTests {
    private func name(_ number: Int) -> CallbackName { CallbackName("NameTableTests \(number)") }

    private static let noTime = LoopTime(
        callbackNanoseconds: 0,
        monitorNanoseconds: 0,
        pollNanoseconds: 0,
        overheadNanoseconds: 0
    )

    private func snapshot(_ table: NameTable) -> LoopSnapshot {
        var snapshot = LoopSnapshot(loopName: "test", time: Self.noTime)
        snapshot.names = table.read()
        return snapshot
    }

    @Test func names_haveTheirOwnCounts() {
        let table = NameTable(capacity: 8)
        for number in 1...5 {
            for wall in 1...number { table.record(name(number), UInt64(wall) * 1000) }
        }
        table.addBlame(name(3), 77)
        let names = Dictionary(uniqueKeysWithValues: table.read().map { ($0.callbackName, $0) })
        #expect(names.count == 5)
        let third = names["NameTableTests 3"]
        #expect(third?.count == 3)
        #expect(third?.total == .microseconds(6))
        #expect(third?.max == .microseconds(3))
        #expect(third?.blame == .nanoseconds(77))
    }

    @Test func heavyNames_stay_howeverManyLightOnesCome() {
        let table = NameTable(capacity: 16)
        let heavy = (0..<8).map { name(10_000 + $0) }
        for round in 0..<500 {
            for name in heavy { table.record(name, 1_000_000) }
            for light in 0..<10 { table.record(name(round * 10 + light), 10) }
        }
        let names = table.read()
        #expect(names.count <= 17)
        for name in heavy {
            let found = names.first { $0.callbackName == name.text }
            #expect(found?.count == 500)
            #expect(found?.total == .milliseconds(500))
        }
        // Nothing is lost.
        #expect(names.reduce(0) { $0 + $1.count } == 500 * 18)
        #expect(names.reduce(.zero) { $0 + $1.total } == .milliseconds(4000) + .nanoseconds(500 * 10 * 10))
    }

    @Test func names_forWhichOthersWaited_areHeavy() {
        let table = NameTable(capacity: 4)
        table.record(name(1), 5)
        table.addBlame(name(1), 1_000_000)
        for number in 100..<200 { table.record(name(number), 100) }
        #expect(table.read().contains { $0.callbackName == name(1).text && $0.blame == .milliseconds(1) })
    }

    @Test func difference_isRight_alsoForNamesThatLeft() {
        let table = NameTable(capacity: 4)
        table.record(name(1), 1_000_000)
        table.record(name(2), 10)
        let earlier = snapshot(table)
        // The second leaves, and comes back.
        for number in 50..<70 { table.record(name(number), 1000) }
        table.record(name(2), 10)
        table.record(name(1), 1_000_000)
        let difference = snapshot(table) - earlier
        #expect(difference.names.first { $0.callbackName == name(1).text }?.count == 1)
        #expect(difference.names.reduce(0) { $0 + $1.count } == 22)
        #expect(difference.names.reduce(.zero) { $0 + $1.total } == .nanoseconds(20 * 1000 + 10 + 1_000_000))
    }

    @Test func sum_addsNamesOfBoth() {
        let (left, right) = (NameTable(capacity: 4), NameTable(capacity: 4))
        left.record(name(1), 1000)
        left.record(name(2), 1000)
        right.record(name(2), 3000)
        let sum = snapshot(left) + snapshot(right)
        #expect(sum.loopNames == ["test", "test"])
        #expect(sum.top(2, by: .total).map(\.total) == [.microseconds(4), .microseconds(1)])
        #expect(sum.top(1, by: .worst).map(\.callbackName) == [name(2).text])
    }

    @Test func table_isReadWhileNamesComeAndGo() throws {
        let table = NameTable(capacity: 32)
        let names = (0..<400).map { name($0) }
        let ended = Counter()
        let writer = try LoopThread(name: "writer") {
            for round in 0..<100_000 { table.record(names[round % names.count], UInt64(round % 50)) }
            ended.count()
        }
        var reads = 0
        repeat {
            let found = table.read()
            #expect(found.count <= 33)
            #expect(Set(found.map(\.callbackName)).count == found.count)
            _ = snapshot(table) - snapshot(table)
            reads += 1
        } while ended.value == 0
        writer.join()
        #expect(table.read().reduce(0) { $0 + $1.count } == 100_000)
    }

    /// Dispatches of a name that nobody knows any more are among the others, and stay counted. In a process of its own:
    /// others would lose their names.
    @Test func passingNames_joinTheOthers_whenTheyAreForgotten() async {
        await #expect(processExitsWith: .success) {
            let table = NameTable(capacity: 64)
            let forgotten = (0..<3).map { CallbackName(passing: "to be forgotten \($0)") }
            for name in forgotten { table.record(name, 1000) }
            table.record(CallbackName("a registered name"), 5000)
            precondition(Set(table.read().map(\.callbackName)).isSuperset(of: (0..<3).map { "to be forgotten \($0)" }))
            for number in 0..<3 * PassingNames.capacity { _ = CallbackName(passing: "somebody else \(number)") }
            // Whoever has one of their places now is not taken for them.
            let places = Set(forgotten.map(PassingNames.place))
            var number = 0
            var heirs: Set<Int> = []
            while heirs.count < 3 {
                number += 1
                let heir = CallbackName(passing: "heir \(number)")
                let place = PassingNames.place(of: heir)
                if places.contains(place), heirs.insert(place).inserted { table.record(heir, 7000) }
            }
            let names = table.read()
            precondition(Set(names.map(\.callbackName)).count == names.count)
            precondition(names.reduce(0) { $0 + $1.count } == 7)
            precondition(names.first { $0.callbackName == "_OTHER" }?.count == 3)
            precondition(names.filter { $0.callbackName.hasPrefix("heir") }.map(\.count) == [1, 1, 1])
        }
    }

    /// In a process of its own, as above.
    @Test func placesThatWereGivenAway_haveOneEntryEach() async {
        await #expect(processExitsWith: .success) {
            let table = NameTable(capacity: 8)
            for round in 0..<3 {
                for number in 0..<PassingNames.capacity {
                    table.record(CallbackName(passing: "\(round) \(number)"), UInt64(number))
                }
                for number in 0..<6 {
                    table.record(CallbackName(passing: "\(round) \(PassingNames.capacity - 1 - number)"), 1_000_000)
                }
                let names = table.read()
                precondition(Set(names.map(\.callbackName)).count == names.count)
                precondition(names.reduce(0) { $0 + $1.count } == (round + 1) * (PassingNames.capacity + 6))
            }
        }
    }

    @Test func sameText_isOneName_whoeverGaveIt() {
        let table = NameTable(capacity: 8)
        table.record(CallbackName("given twice"), 1000)
        table.record(CallbackName(passing: "given twice"), 3000)
        let names = table.read()
        #expect(names.map(\.callbackName) == ["given twice"])
        #expect(names.first?.count == 2)
        #expect(names.first?.total == .nanoseconds(4000))
    }
}
