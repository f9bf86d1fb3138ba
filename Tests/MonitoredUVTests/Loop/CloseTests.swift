import Testing

@testable import MonitoredUV

struct CloseTests {
    @Test func close_namesWhatIsStillOpen() throws {
        try withLoop { loop in
            let timer = UVTimer(on: loop) { _ in }
            timer.name = "heartbeat"
            let idle = UVIdle(on: loop) {}
            let socket = try UVTCP(on: loop)
            loop.callSoon { socket.close() }
            let error = #expect(throws: UVError.self) { try loop.close() }
            #expect(error?.code == .busy)
            let text = try #require(error?.detail)
            #expect(text.contains("UVTimer 'heartbeat'"))
            #expect(text.contains("UVIdle 'CloseTests.swift:"))
            #expect(text.contains("UVTCP"))
            #expect(text.contains("1 posted closure"))
            #expect(!text.contains("UVAsync"), "the library's own handles are nobody's business")
            timer.close {}
            #expect((#expect(throws: UVError.self) { try loop.close() })?.detail?.contains("(closing)") == true)
            idle.close()
            let later = #expect(throws: UVError.self) { try loop.close() }
            #expect(later?.detail?.contains("run it once more") == false)
            #expect(later?.detail?.contains("UVIdle") == false)
            try loop.run()
            var isClosed = false
            UVTimer(on: loop) { _ in }.close { isClosed = true }
            #expect((#expect(throws: UVError.self) { try loop.close() })?.detail?.contains("run it once more") == true)
            #expect(!isClosed)
            try loop.run()
            #expect(isClosed)
        }
    }

    /// Nothing is left to call back for them: what closes already, and signals that `onSignal` waits for.
    @Test func close_finishesWhatNeedsNoRun() throws {
        final class Captured {}
        weak var captured: Captured?
        try withLoop { loop in
            let server = try UVTCP(on: loop)
            try server.bind(to: UVSocketAddress("127.0.0.1", port: 0))
            try server.listen { _ in }
            let timer = UVTimer(on: loop) { _ in }
            timer.start(after: .zero)
            try {
                let object = Captured()
                captured = object
                try loop.onSignal(.windowChange) { [object] in _ = object }
            }()
            try loop.run(.noWait)
            server.close()
            timer.close()
            #expect(throws: UVError.self) { try UVTCP.listen(host: "localhost", port: 0, on: loop) { _ in } }
            try loop.close()
            #expect(captured == nil)
            #expect(loop.core.members.handleBalance.open == 0)
            try loop.close()
        }
    }

    @Test func close_twice_doesNothingMore() throws {
        let loop = try UVEventLoop()
        try loop.close()
        try loop.close()
    }

    @Test func run_throws_afterClose() throws {
        let loop = try UVEventLoop()
        try loop.close()
        let error = #expect(throws: UVError.self) { try loop.run() }
        #expect(error?.code == .invalidArgument)
        loop.stop()  // does no harm
    }

    @Test func close_throws_whenAnotherThreadPosted() throws {
        try withLoop { loop in
            let ran = Box(false)
            try onOtherThread { loop.execute { ran.value = true } }
            #expect((#expect(throws: UVError.self) { try loop.close() })?.code == .busy)
            try loop.run()
            #expect(ran.value)
        }
    }

    @Test func releasedLoop_freesItsHandlesWithoutCallingBack() throws {
        final class Token {}
        weak var token: Token?
        weak var core: LoopCore?
        var timer: UVTimer?
        do {
            let loop = try UVEventLoop(name: "released")
            core = loop.core
            let held = Token()
            token = held
            timer = UVTimer(on: loop) { _ in withExtendedLifetime(held) { _ = Issue.record("called back") } }
            timer?.start(after: .zero)
            loop.callLater(.zero) { withExtendedLifetime(held) { _ = Issue.record("called back") } }
            timer?.close { Issue.record("called back") }
            let (server, address) = try loop.server { _ in Issue.record("called back") }
            let client = try UVTCP(on: loop)
            try client.connect(to: address) { _ in Issue.record("called back") }
            withExtendedLifetime(server) {}
            loop.callSoon { withExtendedLifetime(held) { _ = Issue.record("called back") } }
            try onOtherThread { loop.execute { Issue.record("called back") } }
        }
        #expect(timer?.isClosing == true)
        timer = nil
        #expect(token == nil)
        #expect(core == nil)
    }

    @Test func failedClose_fromAnotherThread_leavesTheOwner() throws {
        try withLoop { loop in
            let timer = UVTimer(on: loop) { _ in }
            try onOtherThread { #expect((#expect(throws: UVError.self) { try loop.close() })?.code == .busy) }
            #expect(loop.inEventLoop)
            timer.close()
            try loop.run()
        }
    }
}
