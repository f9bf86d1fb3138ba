import Testing

@testable import MonitoredUV

/// Tasks that are waiting, asleep, or running when a loop is shut down.
@Suite struct ShutdownTests {
    @Test func whatWaitsOnAGroupsLoopIsResumed_andSleepersDoNotHoldTheShutdown() async throws {
        let group = try UVEventLoopGroup(count: 1)
        let loop = group.loops[0]
        let sleeping = Task.detached { try await loop.sleep(for: .seconds(3600)) }
        let accepting = Task.detached {
            let server = try await UVTCPServer.listen(host: "127.0.0.1", port: 0, on: loop)
            for try await _ in server.connections {}
        }
        let asleep = Task(executorPreference: loop) { try await Task.sleep(for: .seconds(3600)) }
        // All three wait: two handles and a sleep.
        let isReady = Counter()
        while isReady.value == 0 {
            loop.execute { if UVEventLoop.current!.core.heldCount >= 3 { isReady.count() } }
            try await Task.sleep(for: .milliseconds(1))
        }
        try await waitForThread { group.shutdown() }
        let error = await #expect(throws: UVError.self) { try await sleeping.value }
        #expect(error?.code == .canceled)
        await #expect(throws: UVError.self) { try await accepting.value }
        await #expect(throws: CancellationError.self) { try await asleep.value }
    }

    @Test func tasksThatABodyLeavesBehindAreCancelled() async throws {
        try await waitForThread {
            succeed {
                let cancelled = Counter()
                let value = try UVEventLoop.run {
                    let loop = UVEventLoop.current!
                    for _ in 0..<3 {
                        Task(executorPreference: loop) {
                            do { while true { try await Task.sleep(for: .seconds(3600)) } } catch { cancelled.count() }
                        }
                    }
                    await Task.yield()
                    return 42
                }
                #expect(value == 42)
                #expect(cancelled.value == 3)
            }
        }
    }
}
