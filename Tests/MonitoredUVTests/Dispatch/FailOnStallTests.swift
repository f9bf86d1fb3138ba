import Foundation
import Testing

@testable import MonitoredUV

struct FailOnStallTests {
    @Test func dispatchOverTheLimit_throws_withNameAndStack() throws {
        try withLoop { loop in
            let error = #expect(throws: LoopStalledError.self) {
                try loop.monitoring.failOnStall(over: .milliseconds(40)) {
                    loop.callSoon(name: "harmless") {}
                    loop.callSoon(name: "blocks") { blockForAWhile(loop) }
                    try loop.run()
                }
            }
            let block = try #require(error?.stalls.first)
            #expect(error?.stalls.count == 1)
            #expect(block.callbackName == "blocks")
            #expect(block.duration >= .milliseconds(40))
            #expect(isThreadSanitized || "\(block)".contains("blockForAWhile"))
            #expect("\(error!)".hasPrefix("1 dispatch ran for longer than 40 ms:"))
        }
    }

    @Test func iterationOverTheLimit_throws() throws {
        try withLoop { loop in
            let error = #expect(throws: LoopStalledError.self) {
                try loop.monitoring.failOnStall(over: .milliseconds(300)) {
                    for _ in 0..<60 { loop.callSoon(name: "many") { spin(.milliseconds(10)) } }
                    try loop.run()
                }
            }
            #expect(error?.stalls.first?.callbackName == "many")
            #expect(error?.stalls.first?.dispatches == 60)
            #expect("\(error!)".hasPrefix("1 iteration ran for longer than 300 ms:"))
        }
    }

    @Test func nothingOverTheLimit_passesOnWhatTheBodyReturns() throws {
        try withLoop { loop in
            let value = try loop.monitoring.failOnStall(over: .seconds(60)) {
                loop.callSoon { spin(.milliseconds(2)) }
                try loop.run()
                return 7
            }
            #expect(value == 7)
        }
    }

    @Test func bodysOwnError_comesFirst() throws {
        try withLoop { loop in
            #expect(throws: UVError.self) {
                try loop.monitoring.failOnStall(over: .milliseconds(1)) {
                    loop.callSoon { spin(.milliseconds(20)) }
                    try loop.run()
                    throw UVError(.busy, operation: "test")
                }
            }
        }
    }

    @Test func taskThatBlocksItsLoop_throws() async throws {
        try await withTasks { loop in
            let error = await #expect(throws: LoopStalledError.self) {
                try await loop.monitoring.failOnStall(over: .milliseconds(40)) {
                    await Task.yield()
                    blockForAWhile(loop)
                }
            }
            // On a busy machine others may be as long.
            #expect(error?.stalls.contains { $0.kind == .job && $0.dispatches == nil } == true)
        }
    }

    @Test func bodyThatNeverWaits_throws_alsoWhereNothingWasMonitored() async throws {
        try await withTasks { loop in
            for _ in 0..<2 {
                await #expect(throws: LoopStalledError.self) {
                    try await loop.monitoring.failOnStall(over: .milliseconds(20)) { () async in spin(.milliseconds(60))
                    }
                }
            }
        }
        try withLoop { loop in
            loop.callSoon(name: "callback") {
                #expect(throws: LoopStalledError.self) {
                    try loop.monitoring.failOnStall(over: .milliseconds(20)) { spin(.milliseconds(60)) }
                }
            }
            try loop.run()
        }
    }

    @Test func taskThatWaits_doesNotBlock() async throws {
        try await withTasks { loop in
            // A busy machine may really block it, but not each time.
            for attempt in 1... {
                do {
                    return try await loop.monitoring.failOnStall(over: .milliseconds(200)) {
                        try await Task.sleep(for: .milliseconds(300))
                    }
                } catch let error as LoopStalledError where attempt < 10 {
                    #expect(!error.stalls.isEmpty)
                }
            }
        }
    }

    /// Only the part of a dispatch counts that lies within the body.
    @Test func dispatchThatBeganBefore_throws() throws {
        try withLoop { loop in
            loop.monitoring.level = .metrics
            let (isIn, mayEnd) = (DispatchSemaphore(value: 0), Counter())
            loop.execute(name: "long") {
                isIn.signal()
                while mayEnd.value == 0 { spin(.milliseconds(1)) }
            }
            let tester = try LoopThread(name: "tester") {
                isIn.wait()
                for isOver in [false, true] {
                    let error = #expect(throws: LoopStalledError.self) {
                        try loop.monitoring.failOnStall(over: .milliseconds(30)) {
                            while loop.shared.watchdog.archive.recent.allSatisfy({ !$0.hasSample }) { usleep(1000) }
                            usleep(40_000)
                            // It may end within the body, or go on.
                            if isOver { mayEnd.count() }
                        }
                    }
                    #expect(error?.stalls.first?.callbackName == "long")
                    #expect(isThreadSanitized || error.map { "\($0)" }?.contains("dispatchThatBeganBefore") == true)
                }
            }
            try loop.run()
            tester.join()
        }
    }

    @Test func onlyThePartWithinTheBody_counts() {
        func report(_ start: UInt64, _ duration: Int) -> StallReport {
            let dispatch = InFlight.Dispatch(start: start, name: .unnamed, kind: .timer)
            let sighting = StallTracker.Sighting(dispatch: dispatch, duration: UInt64(duration), cause: nil)
            return StallReport(.ended, sighting, of: .unnamed, limit: 100)
        }
        #expect(report(2000, 101).lies(over: 100, between: 1000, and: 9000))
        #expect(!report(2000, 100).lies(over: 100, between: 1000, and: 9000))
        #expect(!report(500, 600).lies(over: 100, between: 1000, and: 9000))
        #expect(report(500, 601).lies(over: 100, between: 1000, and: 9000))
        #expect(!report(8950, 5000).lies(over: 100, between: 1000, and: 9000))
    }
}

/// Until the watchdog has looked.
@inline(never) private func blockForAWhile(_ loop: UVEventLoop) {
    while !loop.shared.watchdog.archive.recent.contains(where: { !$0.id.isIteration && $0.hasSample }) {
        spin(.milliseconds(1))
    }
}
