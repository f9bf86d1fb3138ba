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
            #expect(!timer.keepsLoopAlive)
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

    @Test(arguments: ["listener", "reader", "reader closed from inside", "timer", "idle", "async", "monitor"])
    func closedHandle_letsGoOfItsCallbacks(_ subject: String) throws {
        final class Token {}
        weak var token: Token?
        weak var core: LoopCore?
        try withLoop { loop in
            core = loop.core
            let held = Token()
            token = held
            // Each callback holds its own handle, or the loop: a cycle until closed.
            switch subject {
            case "listener":
                let socket = try UVTCP(on: loop)
                try socket.bind(to: loopback)
                try socket.listen { [socket] _ in withExtendedLifetime((held, socket)) {} }
                socket.close()
            case "reader", "reader closed from inside":
                try loop.pair { client, accepted in
                    try accepted.startReading { _ in
                        withExtendedLifetime((held, client)) { accepted.close() }
                    } onEnd: { _ in
                        accepted.close()
                    }
                    if subject != "reader" { try client.write("x") }
                    client.close()
                }
            case "timer": loop.callLater(.zero) { [loop] in withExtendedLifetime((held, loop)) {} }
            case "idle":
                var idle: UVIdle?
                idle = UVIdle(on: loop) { withExtendedLifetime(held) { idle?.close() } }
                idle?.start()
            case "async":
                var handle: UVAsync?
                handle = try UVAsync(on: loop) { withExtendedLifetime(held) { handle?.close() } }
                try handle?.send()
            default: loop.setMonitor { [loop] _ in withExtendedLifetime((held, loop)) {} }
            }
            try loop.run()
        }
        #expect(token == nil)
        #expect(core == nil)
    }

    @Test func name_isWhatTheMonitorShows() throws {
        try withLoop { loop in
            let recorder = Recorder(on: loop)
            let timer = UVTimer(on: loop) { _ in }
            #expect(timer.name == "")
            timer.name = "heartbeat"
            #expect(timer.name == "heartbeat")
            timer.close {}
            let other = UVTimer(on: loop) { $0.close() }
            other.name = "one shot"
            other.start(after: .zero)
            try loop.run()
            #expect(recorder.named("heartbeat").map(\.kind) == [.close])
            #expect(recorder.named("one shot").map(\.kind) == [.timer])
        }
    }
}
