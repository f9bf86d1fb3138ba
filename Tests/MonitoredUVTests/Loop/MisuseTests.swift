import Foundation
import Testing

@testable import MonitoredUV

/// Misuse that is a bug ends the process with a message that says what to do; each in a process of its own.
struct MisuseTests {
    @Test func run_insideItsOwnCallback_traps() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let loop = try UVEventLoop(name: "nested")
            loop.callSoon { try! loop.run() }
            try loop.run()
        }
        expectMessage(result, "UVEventLoop.run() was called on 'nested' from inside one of its own callbacks")
    }

    @Test func close_insideItsOwnCallback_traps() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let loop = try UVEventLoop(name: "eager")
            loop.callSoon { try! loop.close() }
            try loop.run()
        }
        expectMessage(result, "UVEventLoop.close() was called on 'eager' from inside")
    }

    @Test func run_onTwoThreads_traps() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let loop = try UVEventLoop(name: "shared")
            loop.execute { try! onOtherThread { try! loop.run() } }
            try loop.run()
        }
        expectMessage(result, "on 'shared' while another thread runs it")
    }

    @Test func release_whileRunning_traps() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let loop = Unmanaged.passRetained(try UVEventLoop(name: "dropped"))
            loop._withUnsafeGuaranteedRef { $0.callSoon { loop.release() } }
            _ = try loop._withUnsafeGuaranteedRef { try $0.run() }
        }
        expectMessage(result, "'dropped' was released while it runs. Keep a reference")
    }

    @Test func handle_onAnotherThread_traps() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let loop = try UVEventLoop(name: "mine")
            let timer = Box(UVTimer(on: loop) { _ in })
            timer.value.name = "tick"
            try onOtherThread { timer.value.start(after: .zero) }
        }
        expectMessage(result, "UVTimer 'tick' was used on a thread that UVEventLoop 'mine' does not belong to")
        expectMessage(result, "No thread is running that loop: call run(.noWait) on this thread to take it over")
    }

    @Test func handle_onAnotherThreadThanTheOneThatRuns_traps() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let loop = try UVEventLoop(name: "mine")
            let timer = Box(UVTimer(on: loop) { _ in })
            loop.execute { try! onOtherThread { timer.value.stop() } }
            try loop.run()
        }
        expectMessage(result, "Use loop.execute { … }, which any thread may call, and UVLoopBound")
    }

    @Test func boundValue_onAnotherThread_traps() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let loop = try UVEventLoop(name: "mine")
            let bound = UVLoopBound([1], to: loop)
            try onOtherThread { bound.value = [2] }
        }
        expectMessage(result, "UVLoopBound.value was used on a thread that UVEventLoop 'mine' does not belong to")
    }

    @Test func newHandle_onAnotherThread_traps() async {
        await #expect(processExitsWith: .failure) {
            let loop = try UVEventLoop()
            try onOtherThread { _ = UVTimer(on: loop) { _ in } }
        }
    }

    @Test func callSoon_onAnotherThread_traps() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let loop = try UVEventLoop()
            try onOtherThread { loop.callSoon {} }
        }
        expectMessage(result, "callSoon at MonitoredUVTests/MisuseTests.swift:")
    }

    @Test func preconditionInEventLoop_traps_onAnotherThread() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let loop = try UVEventLoop()
            loop.preconditionInEventLoop()
            try onOtherThread { loop.preconditionInEventLoop() }
        }
        expectMessage(result, "MisuseTests.swift:")
    }

    @Test func newHandle_onAClosedLoop_traps() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let loop = try UVEventLoop(name: "gone")
            try loop.close()
            _ = UVTimer(on: loop) { _ in }
        }
        expectMessage(result, "a handle was made on UVEventLoop 'gone' after it was closed")
    }

    @Test func start_afterClose_traps() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let loop = try UVEventLoop()
            let timer = UVTimer(on: loop) { _ in }
            timer.name = "late"
            timer.close()
            timer.start(after: .zero)
        }
        expectMessage(result, "start(after:) was called after close()")
    }

    /// On an error's way out, for example. Also where one of its own threads lets go of it.
    @Test func group_releasedWhileItRuns_warns_andEnds() async {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            for isOnItsOwnThread in [false, true] {
                let loop: UVEventLoop
                do {
                    let group = try UVEventLoopGroup(count: 2, name: "left")
                    loop = group.next()
                    if isOnItsOwnThread { loop.execute { [group] in _ = group.loops } }
                }
                while !loop.shared.isClosed { usleep(1000) }
            }
        }
        expectMessage(result, "warning: UVEventLoopGroup with left-1, left-2 was released without shutdown()")
    }

    @Test func group_shutDownFromItsOwnThread_traps() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let group = try UVEventLoopGroup(count: 1)
            group.next().execute { group.shutdown() }
            await group.shutdown()
        }
        expectMessage(result, "own thread. Call it from a thread outside of the group")
    }

    @Test func releasedLoop_saysOnStandardErrorWhatItHeld() async {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            let loop = try UVEventLoop(name: "leaky")
            loop.callLater(.seconds(1)) {}
            UVTimer(on: loop, name: "tick") { _ in }.start(after: .seconds(1))
        }
        expectMessage(
            result,
            "warning: UVEventLoop 'leaky' was released without close() while it still held UVTimer 'tick', 1 scheduled callback."
        )
    }

    @Test func close_withThousandsOfOpenHandles_saysHowManyOfEach_andNamesTen() throws {
        let loop = try UVEventLoop(name: "full")
        var timers: [UVTimer] = []
        for number in 0..<1013 {
            let timer = UVTimer(on: loop) { _ in }
            timer.name = number < 1000 ? "tick" : "once-\(number)"
            timers.append(timer)
        }
        let error = #expect(throws: UVError.self) { try loop.close() }
        let text = try #require(error?.description)
        #expect(text.contains("still holds 1000 times UVTimer 'tick', UVTimer 'once-1000', UVTimer 'once-"), "\(text)")
        #expect(text.contains("UVTimer 'once-1008', 4 other handles"), "\(text)")
        for timer in timers { timer.close() }
        try loop.run()
        try loop.close()
    }

    @Test func newHandle_onAGroupsLoop_fromOutside_traps() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let group = try UVEventLoopGroup(count: 1, name: "theirs")
            _ = UVTimer(on: group.next()) { _ in }
        }
        expectMessage(result, "does not belong to")
    }

    @Test func group_shutDownFromALoopInsideItsOwn_traps() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let group = try UVEventLoopGroup(count: 1)
            group.next().execute {
                let inner = try! UVEventLoop()
                inner.callSoon { group.shutdown() }
                try! inner.run()
            }
            await group.shutdown()
        }
        expectMessage(result, "own thread. Call it from a thread outside of the group")
    }

    @Test(arguments: ["name", "isClosing", "loop", "close", "ref"])
    func handlesMembers_onAnotherThread_trap(_ member: String) async {
        await #expect(processExitsWith: .failure) { [member] in
            let loop = try UVEventLoop()
            let timer = Box(UVTimer(on: loop) { _ in })
            try onOtherThread {
                switch member {
                case "name": timer.value.name = "x"
                case "isClosing": _ = timer.value.isClosing
                case "loop": _ = timer.value.loop
                case "close": timer.value.close()
                default: timer.value.ref()
                }
            }
        }
    }
}

private func expectMessage(
    _ result: ExitTest.Result?,
    _ message: String,
    sourceLocation: SourceLocation = #_sourceLocation
) {
    let text = String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
    #expect(text.contains(message), sourceLocation: sourceLocation)
}
