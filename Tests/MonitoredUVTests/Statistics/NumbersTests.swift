import Foundation
import Testing

@testable import MonitoredUV

/// The published numbers against what was done: lag, wall time, and the sum rule.
struct NumbersTests {
    static let block = Duration.milliseconds(200)

    /// Five blocks in five kinds of dispatch: each is reported once, with its name, kind, wall time and the lag it
    /// caused to a closure that was ready when it began; and the sum rule holds to 1 %.
    @Test func fiveBlocks_areReportedOnceEach_withTheLagTheyCause() throws {
        try withLoop { loop in
            let recorder = Recorder(on: loop)
            func block(_ victim: DispatchName) {
                loop.callSoon(name: victim) {}
                spin(Self.block)
            }
            loop.callSoon(name: "posted block") { block("behind posted") }
            loop.callLater(.milliseconds(1), name: "timer block") { block("behind timer") }
            loop.callSoon {
                succeed {
                    try onOtherThread {
                        loop.execute(name: "remote block") { spin(Self.block) }
                        loop.execute(name: "behind remote") {}
                    }
                }
            }
            let server = try UVTCP(on: loop)
            server.name = "accept block"
            try server.bind(to: loopback)
            try server.listen { connection in
                block("behind accept")
                server.close()
                succeed {
                    let peer = try connection.get()
                    peer.name = "read block"
                    var isFirst = true
                    try peer.startReading { _ in
                        if isFirst { block("behind read") }
                        isFirst = false
                    } onEnd: { _ in
                        peer.close()
                    }
                }
            }
            let client = try UVTCP(on: loop)
            try client.connect(to: server.localAddress()) { _ in
                succeed { try client.write("x") }
                client.close()
            }
            let before = loop.monitoring.time
            let start = MonotonicClock.read()
            try loop.run()
            let elapsed = Duration(nanoseconds: MonotonicClock.read() - start)

            let blocks = recorder.states.filter { $0.callbackWallTime >= Self.block }
            #expect(blocks.count == 5)
            let found = Set(blocks.map { "\($0.kind) \($0.callbackPrettyName)" })
            let expected = [
                "posted posted block", "timer timer block", "posted remote block", "connection accept block",
            ]
            #expect(found == Set(expected + ["read read block"]))
            for kind in ["posted", "timer", "remote", "accept", "read"] {
                let victims = recorder.named("behind \(kind)")
                #expect(victims.count == 1)
                let victim = try #require(victims.first)
                #expect(victim.loopLag >= Self.block)
                #expect(victim.isLoopLagExact)
                #expect(victim.callbackWallTime < Self.block)
            }
            let time = (loop.monitoring.time - before)
            let sum = time.callbacks + time.monitor + time.poll + time.overhead
            #expect((recorder.elapsed...elapsed).contains(sum))
            #expect(recorder.states.reduce(.zero) { $0 + $1.callbackWallTime } == time.callbacks)
        }
    }

    /// Busy callbacks, idle waits and I/O: what was reported adds up to what passed.
    @Test func sumRule_holds_forAMixOfWork() throws {
        try withLoop { loop in
            let recorder = Recorder(on: loop)
            try loop.pair { client, accepted in
                try accepted.echo()
                var messages = 0
                try client.startReading { _ in
                    messages += 1
                    spin(.microseconds(200))
                    if messages == 200 { return client.close() }
                    succeed { try client.write("message") }
                } onEnd: { _ in
                }
                try client.write("message")
            }
            var ticks = 0
            loop.callLater(.milliseconds(3), repeating: .milliseconds(3)) { timer in
                ticks += 1
                spin(.milliseconds(1))
                if ticks == 60 { timer.cancel() }
                loop.callSoon { spin(.microseconds(100)) }
            }
            let before = loop.monitoring.time
            let start = MonotonicClock.read()
            try loop.run()
            let elapsed = Duration(nanoseconds: MonotonicClock.read() - start)
            let time = (loop.monitoring.time - before)
            let walls = recorder.states.reduce(Duration.zero) { $0 + $1.callbackWallTime }
            #expect(walls == time.callbacks)
            let sum = walls + time.monitor + time.poll + time.overhead
            #expect((recorder.elapsed...elapsed).contains(sum))
            #expect(time.elapsed == sum)
            #expect(time.poll > .zero)
            #expect(time.utilization > 0.1 && time.utilization < 1)
        }
    }

    @Test func postedLag_isExact_fromCallToStart() throws {
        try withLoop { loop in
            let recorder = Recorder(on: loop)
            loop.callSoon(name: "first") { spin(.milliseconds(30)) }
            loop.callSoon(name: "second") { spin(.milliseconds(30)) }
            loop.callSoon(name: "third") {}
            try loop.run()
            let first = try #require(recorder.named("first").first)
            let second = try #require(recorder.named("second").first)
            let third = try #require(recorder.named("third").first)
            #expect(second.loopLag >= first.callbackWallTime)
            #expect(third.loopLag >= first.callbackWallTime + second.callbackWallTime)
            #expect(third.loopLagRange == third.loopLag...third.loopLag)
            #expect(third.isLoopLagExact)
        }
    }

    /// The due instant has nanoseconds, libuv's timers milliseconds: the rest shows as lag.
    @Test func timerLag_isExact_fromTheRequestedInstant() throws {
        try withLoop { loop in
            let recorder = Recorder(on: loop)
            let start = MonotonicClock.read()
            var started: UInt64 = 0
            loop.callLater(.microseconds(1200)) { started = MonotonicClock.read() }
            let end = MonotonicClock.read()
            try loop.run()
            let lag = try #require(recorder.states.first).loopLag.nanosecondsClamped
            #expect(recorder.states[0].isLoopLagExact)
            // Due between start + 1.2 ms and end + 1.2 ms; the callback's own reading came after its start.
            #expect(started - lag >= start + 1_200_000)
            #expect(recorder.states[0].callbackWallTime.nanosecondsClamped + lag + end + 1_200_000 >= started)
        }
    }

    @Test func repeatingCallbacksLag_countsFromItsNextTime() throws {
        try withLoop(attempts: 5) { loop in
            let recorder = Recorder(on: loop)
            var fired = 0
            loop.callLater(.milliseconds(2), repeating: .milliseconds(2)) { timer in
                fired += 1
                if fired == 1 { spin(.milliseconds(50)) }
                if fired == 5 { timer.cancel() }
            }
            try loop.run()
            // The second came due while the first ran; those after are not 48 ms late each.
            let lags = recorder.of(.timer).map(\.loopLag)
            #expect(lags[1] >= .milliseconds(45))
            return lags[2...].min()! < .milliseconds(45)
        }
    }

    @Test func closeLag_isExact_fromTheRequest() throws {
        try withLoop { loop in
            let recorder = Recorder(on: loop)
            loop.callSoon {
                UVTimer(on: loop) { _ in }.close {}
                spin(.milliseconds(25))
            }
            try loop.run()
            let state = try #require(recorder.of(.close).first)
            #expect(state.isLoopLagExact)
            #expect(state.loopLag >= .milliseconds(25))
        }
    }

    @Test func canceledRequestsLag_isExact_fromTheClose() throws {
        try withLoop { loop in
            let recorder = Recorder(on: loop)
            let (server, address) = try loop.server { $0.close() }
            let client = try UVTCP(on: loop)
            try client.connect(to: address) { _ in }
            client.close()
            server.close()
            spin(.milliseconds(25))
            try loop.run()
            let state = try #require(recorder.of(.connect).first)
            #expect(state.isLoopLagExact)
            #expect(state.loopLag >= .milliseconds(25))
        }
    }

    @Test func hooks_haveNoLag() throws {
        try withLoop { loop in
            let recorder = Recorder(on: loop)
            let idle = UVIdle(on: loop) {}
            idle.start()
            try loop.run(.noWait)
            let state = try #require(recorder.of(.hook).first)
            #expect(state.loopLagRange == nil)
            #expect(state.loopLag == .zero)
            #expect(!state.isLoopLagExact)
            idle.close()
            try loop.run()
        }
    }

    /// A message that arrives while the loop is busy has waited, by the upper bound, as long as the loop was busy.
    /// If the machine takes the processor away during the poll, it looks as if the loop had slept, so most must do.
    @Test func ioLag_coversTheTimeTheLoopWasBusy() throws {
        try withLoop { loop in
            let recorder = Recorder(on: loop)
            let rounds = 20
            try loop.pair { client, accepted in
                accepted.name = "accepted"
                var round = 0
                func next() {
                    succeed { try client.write("x") }
                    spin(.milliseconds(10))
                }
                try accepted.startReading { _ in
                    round += 1
                    if round < rounds { return loop.callSoon { next() } }
                    accepted.close()
                    client.close()
                } onEnd: { _ in
                }
                loop.callSoon { next() }
            }
            try loop.run()
            let states = recorder.named("accepted")
            #expect(states.count == rounds)
            var covered = 0
            for state in states {
                let range = try #require(state.loopLagRange)
                #expect(range.upperBound == state.loopLag)
                #expect(!state.isLoopLagExact)
                if range.upperBound >= .milliseconds(10) && range.lowerBound < range.upperBound { covered += 1 }
            }
            #expect(covered > rounds / 2)
        }
    }

    @Test func ioLag_isOnlyItsOwn_whenTheLoopWasAsleep() throws {
        try withLoop { loop in
            let recorder = Recorder(on: loop)
            var writer: LoopThread?
            try loop.pair { client, accepted in
                accepted.name = "accepted"
                try accepted.startReading { _ in
                    accepted.close()
                    client.close()
                } onEnd: { _ in
                }
                let descriptor = try client.fileDescriptor()
                // The loop sleeps at least 20 ms: the thread begins to wait after it, and writes past the library.
                writer = try LoopThread(name: "writer") {
                    spin(.milliseconds(20))
                    _ = writeByte(descriptor)
                }
            }
            try loop.run()
            writer?.join()
            let range = try #require(recorder.named("accepted").first?.loopLagRange)
            #expect(range.lowerBound == range.upperBound)
        }
    }

    /// Work posted or armed without a monitor counts from when there was one.
    @Test func lag_ofWorkPostedUnmonitored_countsFromTheMonitor() throws {
        try withLoop { loop in
            loop.callSoon(name: "early") {}
            spin(.milliseconds(50))
            let set = MonotonicClock.read()
            let recorder = Recorder(on: loop)
            spin(.milliseconds(10))
            try loop.run()
            let elapsed = MonotonicClock.read() - set
            let lag = try #require(recorder.named("early").first).loopLag.nanosecondsClamped
            #expect(lag >= 10_000_000)
            #expect(lag <= elapsed)
        }
    }

    @Test func time_doesNotCountWhatLiesBetweenRuns() throws {
        try withLoop { loop in
            _ = Recorder(on: loop)
            loop.callSoon {}
            try loop.run()
            let before = loop.monitoring.time.elapsed
            spin(.milliseconds(100))
            let start = MonotonicClock.read()
            loop.callSoon {}
            try loop.run()
            let passed = Duration(nanoseconds: MonotonicClock.read() - start)
            #expect(loop.monitoring.time.elapsed - before <= passed)
        }
    }

    /// The monitor changes in the middle of callbacks and of itself: nothing is counted twice or put to others.
    @Test func sumRule_holds_whileTheMonitorChanges() throws {
        try withLoop { loop in
            var calls = 0
            var inCallbacks: UInt64 = 0
            var inMonitors: UInt64 = 0
            var first: UInt64?
            var last: UInt64 = 0
            func spun(_ duration: Duration, _ sum: inout UInt64, _ body: () -> Void) {
                let start = MonotonicClock.read()
                first = first ?? start
                spin(duration)
                body()
                last = MonotonicClock.read()
                sum += last - start
            }
            func monitor(_ state: borrowing IOLoopMonitorState) {
                calls += 1
                spun(.milliseconds(2), &inMonitors) {
                    if calls % 3 == 0 { loop.setMonitor { monitor($0) } }
                }
            }
            loop.setMonitor { monitor($0) }
            for _ in 0..<20 {
                loop.callSoon {
                    spun(.milliseconds(5), &inCallbacks) { loop.setMonitor { monitor($0) } }
                    spin(.milliseconds(5))
                }
            }
            let start = MonotonicClock.read()
            try loop.run()
            let elapsed = MonotonicClock.read() - start
            let time = loop.monitoring.time
            #expect(calls == 20)
            #expect((last - first!...elapsed).contains(time.elapsed.nanosecondsClamped))
            #expect(time.callbacks.nanosecondsClamped >= inCallbacks)
            #expect(time.callbacks >= .milliseconds(200))
            #expect(time.monitor.nanosecondsClamped >= inMonitors)
        }
    }

    @Test func callbackBehindTheOneThatSetTheMonitor_isNotBlamed() throws {
        try withLoop(attempts: 5) { loop in
            var walls: [String: Duration] = [:]
            loop.callSoon(name: "guilty") {
                loop.setMonitor { walls[$0.callbackPrettyName] = $0.callbackWallTime }
                spin(.milliseconds(100))
            }
            loop.callSoon(name: "innocent") {}
            try loop.run()
            #expect(walls.keys.sorted() == ["innocent"])
            return walls["innocent"]! < .milliseconds(100)
        }
    }

    @Test func whatFreesTheClosure_isChargedToTheClosure() throws {
        final class Slow { deinit { spin(.milliseconds(100)) } }
        try withLoop(attempts: 5) { loop in
            let recorder = Recorder(on: loop)
            func post() {
                let slow = Slow()
                loop.callSoon(name: "guilty") { withExtendedLifetime(slow) {} }
                loop.callSoon(name: "innocent") {}
            }
            post()
            try loop.run()
            #expect(recorder.named("guilty").first!.callbackWallTime >= .milliseconds(100))
            return recorder.named("innocent").first!.callbackWallTime < .milliseconds(100)
        }
    }

    @Test func whatFreesATimersClosure_isChargedToItsLastCall() throws {
        final class Slow { deinit { spin(.milliseconds(100)) } }
        try withLoop { loop in
            let recorder = Recorder(on: loop)
            func start() {
                let slow = Slow()
                UVTimer(on: loop) { timer in
                    timer.close()
                    withExtendedLifetime(slow) {}
                }.start(after: .zero)
            }
            start()
            try loop.run()
            #expect(recorder.of(.timer).first!.callbackWallTime >= .milliseconds(100))
        }
    }
}

private func writeByte(_ descriptor: Int32) -> Int {
    var byte: UInt8 = 1
    return write(descriptor, &byte, 1)
}
