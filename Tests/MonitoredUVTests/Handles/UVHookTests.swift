import Testing

@testable import MonitoredUV

struct UVHookTests {
    @Test func hooks_runInTheirPlacesOfAnIteration() throws {
        try withLoop { loop in
            var order: [String] = []
            let prepare = UVPrepare(on: loop) { order.append("prepare") }
            let check = UVCheck(on: loop) { order.append("check") }
            let idle = UVIdle(on: loop) { order.append("idle") }
            for hook in [check, prepare, idle] as [UVHook] { hook.start() }
            #expect(idle.isActive)
            try loop.run(.noWait)
            try loop.run(.noWait)
            #expect(order == ["idle", "prepare", "check", "idle", "prepare", "check"])
            idle.stop()
            #expect(!idle.isActive)
            try loop.run(.noWait)
            #expect(order.suffix(2) == ["prepare", "check"])
            for hook in [check, prepare, idle] as [UVHook] { hook.close() }
            try loop.run()
        }
    }

    @Test func hook_canBeStartedAgain_andTwice() throws {
        try withLoop { loop in
            var runs = 0
            let idle = UVIdle(on: loop) { runs += 1 }
            idle.start()
            idle.start()
            try loop.run(.noWait)
            #expect(runs == 1)
            idle.stop()
            idle.stop()
            idle.start()
            try loop.run(.noWait)
            #expect(runs == 2)
            idle.close()
            try loop.run()
        }
    }

    @Test func hook_canCloseItself() throws {
        try withLoop { loop in
            var runs = 0
            var idle: UVIdle?
            idle = UVIdle(on: loop) {
                runs += 1
                idle?.close()
                idle = nil
            }
            idle?.start()
            try loop.run()
            #expect(runs == 1)
        }
    }
}
