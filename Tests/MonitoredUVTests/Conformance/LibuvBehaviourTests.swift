import CLibUV
import Foundation
import Testing

@testable import MonitoredUV

/// Behaviors of libuv that this library relies on; a libuv that changes one of these must fail here first.
struct LibuvBehaviourTests {
    private static let version = ProcessInfo.processInfo.environment["EXPECTED_LIBUV_VERSION"]

    /// Whoever has the tests run with another libuv than the system's names its version.
    @Test(.enabled(if: version != nil))
    func libuv_isTheOneToBeTested() { #expect(String(cString: uv_version_string()) == Self.version) }

    /// The library's own prepare and check start first, so they run behind all of the user's.
    @Test func hooksOfOneKind_runLastStartedFirst() throws {
        try withLoop { loop in
            var order: [Int] = []
            let hooks = (1...3).map { number in UVPrepare(on: loop) { order.append(number) } }
            hooks.forEach { $0.start() }
            try loop.run(.noWait)
            #expect(order == [3, 2, 1])
            hooks.forEach { $0.close() }
            try loop.run()
        }
    }

    @Test func workPostedByAPrepareHook_runsBeforeThePoll() throws {
        try withLoop { loop in
            let forever = try UVAsync(on: loop) {}
            var order: [String] = []
            let check = UVCheck(on: loop) { order.append("check") }
            let prepare = UVPrepare(on: loop) { if order.isEmpty { loop.callSoon { order.append("posted") } } }
            prepare.start()
            check.start()
            try loop.run(.noWait)
            #expect(order == ["posted", "check"])
            [forever, check, prepare].forEach { $0.close() }
            try loop.run()
        }
    }

    /// `uv_timer_start` adds to the loop's cached time, which `uv_now` tells.
    @Test func timerTimeout_isAddedToTheCachedTime() throws {
        try withLoop { loop in
            spin(.milliseconds(5))
            let timer = UVTimer(on: loop) { _ in }
            let raw: UnsafeMutablePointer<uv_timer_t> = timer.rawPointer()
            #expect(uv_timer_start(raw, { _ in }, 1000, 0) == 0)
            #expect(uv_timer_get_due_in(raw) == 1000)
            timer.close()
            try loop.run()
        }
    }

    /// The loop's time is the monotonic clock in milliseconds, rounded down: a timer due by it is due by the clock.
    @Test func cachedTime_isNeverAheadOfTheClock() throws {
        try withLoop { loop in
            for _ in 0..<1000 {
                uv_update_time(loop.core.uv)
                #expect(uv_now(loop.core.uv) * 1_000_000 <= MonotonicClock.read())
            }
        }
    }

    /// At a hang-up behind a part of the data libuv reports the end without a buffer.
    @Test func endOfStream_behindData_comesOnce_afterIt() throws {
        try withLoop { loop in
            var events: [String] = []
            try loop.pair { client, accepted in
                try accepted.startReading { bytes in
                    events.append(String(uvBytes: bytes))
                } onEnd: { end in
                    events.append("\(end)")
                    accepted.close()
                }
                try client.write("the rest")
                client.close()
            }
            try loop.run()
            #expect(events == ["the rest", "endOfStream"])
        }
    }

    @Test func hugeMessage_arrivesInPiecesOfAtMostTheReadBuffer() throws {
        try withLoop { loop in
            var largest = 0
            var total = 0
            try loop.pair { client, accepted in
                try accepted.startReading { bytes in
                    largest = max(largest, bytes.byteCount)
                    total += bytes.byteCount
                } onEnd: { _ in
                    accepted.close()
                }
                try client.write([UInt8](repeating: 3, count: 4 << 20)) { _ in client.close() }
            }
            try loop.run()
            #expect(total == 4 << 20)
            #expect((1...LoopStreams.bufferSize).contains(largest))
        }
    }
}
