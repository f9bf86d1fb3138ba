import Testing

@testable import MonitoredUV

struct FailOnBlockTests {
    @Test func dispatchOverTheLimit_throws_withNameAndStack() throws {
        try withLoop { loop in
            let error = #expect(throws: LoopBlockedError.self) {
                try loop.monitoring.failOnBlock(over: .milliseconds(40)) {
                    loop.callSoon("harmless") {}
                    loop.callSoon("blocks") { blockForAWhile(loop) }
                    try loop.run()
                }
            }
            let block = try #require(error?.blocks.first)
            #expect(error?.blocks.count == 1)
            #expect(block.callbackName == "blocks")
            #expect(block.duration >= .milliseconds(40))
            #expect("\(block)".contains("blockForAWhile"))
            #expect("\(error!)".hasPrefix("1 dispatch ran for longer than 40 ms:"))
        }
    }

    @Test func nothingOverTheLimit_passesOnWhatTheBodyReturns() throws {
        try withLoop { loop in
            let value = try loop.monitoring.failOnBlock(over: .seconds(60)) {
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
                try loop.monitoring.failOnBlock(over: .milliseconds(1)) {
                    loop.callSoon { spin(.milliseconds(20)) }
                    try loop.run()
                    throw UVError(.busy, operation: "test")
                }
            }
        }
    }

    @Test func taskThatBlocksItsLoop_throws() async throws {
        try await withTasks { loop in
            let error = await #expect(throws: LoopBlockedError.self) {
                try await loop.monitoring.failOnBlock(over: .milliseconds(40)) {
                    await Task.yield()
                    blockForAWhile(loop)
                }
            }
            #expect(error?.blocks.count == 1)
        }
    }

    @Test func whatRanBefore_doesNotCount() async throws {
        try await withTasks { loop in
            spin(.milliseconds(300))
            try await loop.monitoring.failOnBlock(over: .milliseconds(200)) { await Task.yield() }
        }
    }
}

/// Until the watchdog has looked.
@inline(never) private func blockForAWhile(_ loop: UVEventLoop) {
    while loop.core.watch.recentMarks.isEmpty { spin(.milliseconds(1)) }
}
