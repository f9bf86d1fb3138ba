import Testing

@testable import MonitoredUV

struct UVHandleTests {
    @Test func close_callsBackOnceForEachCall() throws {
        try withLoop { loop in
            let timer = UVTimer(on: loop) { _ in }
            var calls: [Int] = []
            timer.close { calls.append(1) }
            timer.close { calls.append(2) }
            timer.close()
            #expect(timer.isClosing)
            #expect(calls.isEmpty, "never from within close()")
            try loop.run()
            #expect(calls == [1, 2])
            timer.close { calls.append(3) }
            #expect(calls == [1, 2])
            try loop.run()
            #expect(calls == [1, 2, 3])
        }
    }

    @Test func closedHandle_answersWithoutHarm() throws {
        try withLoop { loop in
            let timer = UVTimer(on: loop) { _ in }
            timer.close()
            try loop.run()
            #expect(!timer.isActive)
            #expect(!timer.hasRef)
            #expect(timer.dueIn == nil)
            timer.ref()
            timer.unref()
            timer.stop()
            #expect("\(timer)".hasPrefix("UVTimer 'UVHandleTests.swift:"))
            #expect(timer.loop === loop)
        }
    }

    @Test func openHandle_isKeptByItsLoop() throws {
        try withLoop { loop in
            var fired = false
            UVTimer(on: loop) { timer in
                fired = true
                timer.close()
            }.start(after: .milliseconds(1))
            try loop.run()
            #expect(fired)
        }
    }

    @Test func closedHandle_letsGoOfItsCallbacks() throws {
        final class Token {}
        weak var token: Token?
        try withLoop { loop in
            let socket = try UVTCP(on: loop)
            try socket.bind(to: loopback)
            let held = Token()
            token = held
            try socket.listen { [socket] _ in withExtendedLifetime((held, socket)) {} }  // a cycle until closed
            socket.close()
            try loop.run()
        }
        #expect(token == nil)
    }

    @Test func name_isWhatTheMonitorShows() throws {
        try withLoop { loop in
            let recorder = Recorder(on: loop)
            let timer = loop.callLater(.zero) { _ in }
            #expect(timer.name == "")
            timer.name = "heartbeat"
            #expect(timer.name == "heartbeat")
            timer.close { }
            let other = loop.callLater(.zero) { _ in }
            other.name = "one shot"
            try loop.run()
            #expect(recorder.named("heartbeat").map(\.kind) == [.close])
            #expect(recorder.named("one shot").map(\.kind) == [.timer])
        }
    }
}
