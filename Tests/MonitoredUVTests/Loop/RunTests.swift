import Testing

@testable import MonitoredUV

struct RunTests {
    @Test func run_returnsFalse_whenNothingIsLeft() throws {
        try withLoop { loop in
            var ran = false
            loop.callSoon { ran = true }
            try #expect(loop.run() == false)
            #expect(ran)
        }
    }

    @Test func noWait_returnsTrue_whileATimerIsPending() throws {
        try withLoop { loop in
            let timer = loop.callLater(.seconds(3600)) { Issue.record("an hour has not passed") }
            try #expect(loop.run(.noWait))
            timer.cancel()
            try #expect(loop.run() == false)
        }
    }

    @Test func once_doesNotBlock_whenPostedWorkRan() throws {
        try withLoop { loop in
            let forever = try UVAsync(on: loop) {}
            var ran = 0
            loop.callSoon { ran += 1 }
            try #expect(loop.run(.once))  // would hang in the poll
            #expect(ran == 1)
            forever.close()
            try loop.run()
        }
    }

    @Test func once_doesNotBlock_whenATimerRan() throws {
        try withLoop { loop in
            let forever = try UVAsync(on: loop) {}
            var ran = 0
            let timer = UVTimer(on: loop) { _ in ran += 1 }
            timer.start(after: .zero)
            while ran == 0 { try loop.run(.once) }  // would hang in the poll behind the timer
            forever.close()
            timer.close()
            try loop.run()
            #expect(ran == 1)
        }
    }

    @Test func stop_fromACallback_endsTheRunAndKeepsWhatIsPending() throws {
        try withLoop { loop in
            var order: [Int] = []
            var pending: ScheduledCallback?
            loop.callSoon {
                order.append(1)
                loop.stop()
                pending = loop.callLater(.seconds(100)) { order.append(3) }
            }
            loop.callSoon { order.append(2) }
            try #expect(loop.run())
            #expect(order == [1, 2])
            pending?.reschedule(after: .zero)
            try #expect(loop.run() == false)
            #expect(order == [1, 2, 3])
        }
    }

    @Test func stop_fromAnotherThread_endsTheRun() throws {
        try withLoop { loop in
            let forever = try UVAsync(on: loop) {}
            let stopped = Box<LoopThread?>(nil)
            loop.callSoon {
                stopped.value = try? LoopThread(name: "stopper") { loop.stop() }
            }
            try #expect(loop.run())
            stopped.value?.join()
            forever.close()
            try loop.run()
        }
    }

    @Test func stop_beforeARun_makesTheNextReturnAtOnce() throws {
        try withLoop { loop in
            var ran = false
            loop.callSoon { ran = true }
            try onOtherThread { loop.stop() }
            try #expect(loop.run())
            #expect(!ran)
            try #expect(loop.run() == false)
            #expect(ran)
        }
    }

    @Test func run_canMoveToAnotherThread() throws {
        try withLoop { loop in
            let ran = Box(0)
            loop.callSoon { ran.value += 1 }
            try onOtherThread {
                #expect(loop.inEventLoop == false)
                succeed { try loop.run() }
                #expect(loop.inEventLoop)
                loop.callSoon { ran.value += 1 }
            }
            #expect(!loop.inEventLoop)
            try loop.run()
            #expect(loop.inEventLoop)
            #expect(ran.value == 2)
        }
    }

    @Test func loops_areIndependent_alsoInsideOneAnother() throws {
        try withLoop { outer in
            try withLoop { inner in
                var order: [String] = []
                outer.callSoon {
                    #expect(UVEventLoop.current === outer)
                    inner.callSoon {
                        #expect(UVEventLoop.current === inner)
                        order.append("inner")
                    }
                    succeed { try inner.run() }
                    #expect(UVEventLoop.current === outer)
                    order.append("outer")
                }
                #expect(UVEventLoop.current == nil)
                try outer.run()
                #expect(UVEventLoop.current == nil)
                #expect(order == ["inner", "outer"])
            }
        }
    }

    @Test func current_isNil_onOtherThreadsWhileALoopRuns() throws {
        try withLoop { loop in
            loop.callSoon {
                succeed { try onOtherThread { #expect(UVEventLoop.current == nil) } }
            }
            try loop.run()
        }
    }

    @Test func name_isTheGivenOne_orCounted() throws {
        let named = try UVEventLoop(name: "api")
        #expect(named.name == "api")
        #expect("\(named)" == "UVEventLoop 'api'")
        try named.close()
        let first = try UVEventLoop()
        let second = try UVEventLoop()
        #expect(first.name != second.name)
        #expect(first.name.hasPrefix("loop-"))
        try first.close()
        try second.close()
    }

    @Test func defaultNames_areUsedAgain() throws {
        var names: Set<String> = []
        for _ in 0..<200 {
            let loop = try UVEventLoop()
            names.insert(loop.name)
            try loop.close()
        }
        #expect(names.count < 100)  // other tests have loops of their own
    }
}
