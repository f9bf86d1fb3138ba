import Testing

@testable import MonitoredUV

struct JobBudgetTests {
    @Test func bytes_spendIt() {
        var budget = JobBudget()
        budget.begin()
        var operations = 0
        while !budget.isSpent(now: { 1000 }) {
            operations += 1
            budget.spend(bytes: 200)
        }
        #expect(operations == (JobBudget.bytes + 199) / 200)
        // Whoever goes on regardless has a new one.
        let isSpentAgain = budget.isSpent { 1000 }
        #expect(!isSpentAgain)
    }

    @Test func time_spendsIt_howeverFewBytes() {
        var budget = JobBudget()
        budget.begin()
        var now: UInt64 = 5000
        var operations = 0
        while !budget.isSpent(now: { now }) {
            operations += 1
            now += 10_000
        }
        #expect(operations == 100)
        #expect(budget.wasSpent)
    }

    @Test func nextJob_hasItsOwn() {
        var budget = JobBudget()
        for _ in 0..<10 {
            budget.begin()
            let first = budget.isSpent { 1000 }
            budget.spend(bytes: JobBudget.bytes - 1)
            let second = budget.isSpent { 1000 }
            #expect(!first && !second)
        }
    }
}
