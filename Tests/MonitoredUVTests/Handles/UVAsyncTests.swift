import Testing

@testable import MonitoredUV

struct UVAsyncTests {
    @Test func sends_beforeTheCall_countAsOne() throws {
        try withLoop { loop in
            var calls = 0
            let handle = try UVAsync(on: loop) { calls += 1 }
            let sender = handle.sender
            try onOtherThread { for _ in 0..<1000 { succeed { try sender.send() } } }
            try loop.run(.once)
            #expect(calls == 1)
            try handle.send()
            try loop.run(.once)
            #expect(calls == 2)
            handle.close()
            try loop.run()
        }
    }

    @Test func send_throws_onceTheHandleIsClosed() throws {
        try withLoop { loop in
            let handle = try UVAsync(on: loop) { Issue.record("called") }
            let sender = handle.sender
            handle.close()
            #expect((#expect(throws: UVError.self) { try sender.send() })?.code == .badFileDescriptor)
            try loop.run()
            #expect((#expect(throws: UVError.self) { try sender.send() })?.code == .badFileDescriptor)
        }
    }

    @Test func sends_raceWithClose_withoutTouchingAFreedHandle() throws {
        try withLoop { loop in
            for _ in 0..<100 {
                let handle = try UVAsync(on: loop) {}
                let sender = handle.sender
                let thread = try LoopThread(name: "sender") {
                    do { while true { try sender.send() } } catch {}
                }
                try loop.run(.once)
                handle.close()
                try loop.run()
                thread.join()
            }
        }
    }

    @Test func lag_countsFromTheFirstSend() throws {
        try withLoop { loop in
            let recorder = Recorder(on: loop)
            let handle = try UVAsync(on: loop) {}
            handle.name = "async"
            try handle.send()
            spin(.milliseconds(20))
            try handle.send()
            try loop.run(.once)
            let state = try #require(recorder.named("async").first)
            #expect(state.kind == .async)
            #expect(state.isLoopLagExact)
            #expect(state.loopLag >= .milliseconds(20))
            handle.close()
            try loop.run()
        }
    }

    /// A send can be delivered together with the one before it, whose instant is gone by then.
    @Test func lag_isNeverLongerThanTheTest_underAFloodOfSends() throws {
        try withLoop { loop in
            let recorder = Recorder(on: loop)
            let start = MonotonicClock.read()
            let handle = try UVAsync(on: loop) {}
            let sender = handle.sender
            let isDone = Counter()
            let thread = try LoopThread(name: "sender") {
                for _ in 0..<100_000 { succeed { try sender.send() } }
                isDone.count()
            }
            while isDone.value == 0 { try loop.run(.noWait) }
            thread.join()
            handle.close()
            try loop.run()
            let longest = recorder.of(.async).map { $0.loopLag.nanosecondsClamped }.max() ?? 0
            #expect(longest <= MonotonicClock.read() - start)
        }
    }
}
