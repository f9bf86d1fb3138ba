import Testing

@testable import MonitoredUV

struct PostingTests {
    /// The memory of an unusual number of closures is given back.
    @Test func queueThatWasLong_isShortAgain() throws {
        try withLoop { loop in
            var ran = 0
            for _ in 0..<2 * PostedQueue.keptCapacity { loop.callSoon { ran += 1 } }
            #expect(loop.core.queue.capacity >= 2 * PostedQueue.keptCapacity)
            try loop.run()
            #expect(ran == 2 * PostedQueue.keptCapacity)
            #expect(loop.core.queue.capacity < PostedQueue.keptCapacity)
            loop.callSoon { ran = 0 }
            try loop.run()
            #expect(ran == 0)
        }
    }

    @Test func posted_runsInOrder_fromEitherFunction() throws {
        try withLoop { loop in
            let order = Box<[Int]>([])
            for number in stride(from: 0, to: 300, by: 2) {
                loop.callSoon { order.value.append(number) }
                loop.execute { order.value.append(number + 1) }
            }
            try loop.run()
            #expect(order.value == Array(0..<300))
        }
    }

    @Test func thousandPosts_fromAnotherThread_costOneWakeUp() throws {
        try withLoop { loop in
            let order = Box<[Int]>([])
            loop.callSoon {
                let before = loop.shared.wakeUp.count
                succeed {
                    try onOtherThread { for number in 0..<1000 { loop.execute { order.value.append(number) } } }
                }
                #expect(loop.shared.wakeUp.count == before + 1)
                #expect(loop.shared.remote.count == 1000)
            }
            try loop.run()
            #expect(order.value == Array(0..<1000))
        }
    }

    @Test func execute_onTheLoopsThread_wakesNobody() throws {
        try withLoop { loop in
            var ran = 0
            loop.callSoon {
                loop.callSoon { ran += 1 }
                loop.execute { loop.execute {} }
            }
            try loop.run()
            #expect(ran == 1)
            #expect(loop.shared.wakeUp.count == 0)
        }
    }

    @Test func posted_fromEightThreads_runsExactlyOnceInEachThreadsOrder() throws {
        try withLoop { loop in
            let keepRunning = try UVAsync(on: loop) {}
            let seen = Box([[Int]](repeating: [], count: 8))
            let done = Box(0)
            var threads: [LoopThread] = []
            for thread in 0..<8 {
                threads.append(
                    try LoopThread(name: "poster") {
                        for number in 0..<5000 { loop.execute { seen.value[thread].append(number) } }
                        loop.execute {
                            done.value += 1
                            if done.value == 8 { loop.stop() }
                        }
                    }
                )
            }
            try loop.run()
            threads.forEach { $0.join() }
            for thread in 0..<8 { #expect(seen.value[thread] == Array(0..<5000)) }
            keepRunning.close()
            try loop.run()
        }
    }

    /// A closure that posts itself again and again must leave every second turn to others.
    @Test func posted_thatPostsItself_doesNotStarveIOAndTimers() throws {
        try withLoop { loop in
            var drains = 0
            var drainsAtTimer: Int?
            var drainsAtRead: Int?
            func again() {
                // A timer that is due before the run would fire before the first drain.
                if drains == 0 { loop.callLater(.milliseconds(1)) { drainsAtTimer = drains } }
                drains += 1
                if drainsAtTimer == nil || drainsAtRead == nil { loop.callSoon(again) }
            }
            loop.callSoon(again)
            try loop.pair { client, accepted in
                try accepted.drain()
                try client.startReading { _ in
                    drainsAtRead = drains; client.close()
                } onEnd: { _ in
                }
                try accepted.write("x")
            }
            try loop.run()
            #expect(try #require(drainsAtTimer) > 0)
            #expect(try #require(drainsAtRead) > 0)
        }
    }

    @Test func drain_runsOnlyWhatWasQueuedWhenItBegan() throws {
        try withLoop { loop in
            var order: [String] = []
            let check = UVCheck(on: loop) { order.append("check") }
            check.start()
            loop.callSoon {
                order.append("first")
                loop.callSoon {
                    order.append("second")
                    loop.callSoon {
                        order.append("third")
                        check.close()
                    }
                }
            }
            try loop.run()
            // Drained before the poll, after it, and before the next.
            #expect(order == ["first", "check", "second", "third"])
        }
    }

    @Test(arguments: ["timer", "idle", "prepare", "check", "read", "connection", "close", "async", "posted"])
    func callSoon_runs_whereverItIsCalled(_ place: String) throws {
        try withLoop { loop in
            let forever = try UVAsync(on: loop) {}  // without it the loop would end, and not show a poll that blocks
            func post() { loop.callSoon { forever.close() } }
            switch place {
            case "timer": loop.callLater(.milliseconds(2)) { post() }
            case "idle", "prepare", "check":
                var hook: UVHook?
                let run = {
                    hook?.close(); post()
                }
                hook =
                    place == "idle"
                    ? UVIdle(on: loop, run) : place == "check" ? UVCheck(on: loop, run) : UVPrepare(on: loop, run)
                hook?.start()
                if place == "check" {  // something must end the poll
                    loop.callLater(.zero, repeating: .milliseconds(1)) { if hook?.isClosing == true { $0.cancel() } }
                }
            case "read":
                try loop.pair { client, accepted in
                    try client.write("x")
                    client.close()
                    try accepted.startReading { _ in
                        accepted.close(); post()
                    } onEnd: { _ in
                    }
                }
            case "connection":
                var listening: UVTCP?
                let (server, address) = try loop.server { peer in
                    peer.close()
                    listening?.close()
                    post()
                }
                listening = server
                let client = try UVTCP(on: loop)
                try client.connect(to: address) { _ in client.close() }
            case "close": UVTimer(on: loop) { _ in }.close { post() }
            case "async":
                let handle = Box<UVAsync?>(nil)
                handle.value = try UVAsync(on: loop) {
                    handle.value?.close(); post()
                }
                try handle.value?.send()
            default: loop.callSoon { post() }
            }
            try #expect(loop.run() == false)
        }
    }

    @Test func boundValue_reachesWhatBelongsToTheLoop_fromAnotherThread() throws {
        try withLoop { loop in
            let timer = UVLoopBound(loop.callLater(.seconds(3600)) {}, to: loop)
            let count = UVLoopBound(0, to: loop)
            try onOtherThread {
                for _ in 0..<100 { loop.execute { count.value += 1 } }
                loop.execute { timer.value.cancel() }
            }
            try loop.run()
            #expect(count.value == 100)
        }
    }

    @Test func queue_keepsOrder_whenItGrowsAroundItsEnd() {
        var queue = PostedQueue()
        var expected = 0
        var next = 0
        func site(_ line: Int) -> CallSite { CallSite("f", UInt(line), "f") }
        for round in 0..<200 {
            for _ in 0..<(round % 7 + 1) {
                queue.append(
                    PostedWork(body: {}, site: site(next), posted: UInt64(next), kind: .posted, isRemote: true)
                )
                next += 1
            }
            for _ in 0..<(round % 5) where !queue.isEmpty {
                #expect(queue.removeFirst().posted == UInt64(expected))
                expected += 1
            }
        }
        #expect(queue.count == next - expected)
        while !queue.isEmpty {
            #expect(queue.removeFirst().posted == UInt64(expected))
            expected += 1
        }
        #expect(expected == next)
    }

    @Test func remoteQueue_refusesPushes_afterClose() {
        let queue = RemoteQueue()
        func work() -> PostedWork {
            PostedWork(body: {}, site: CallSite("f", 1, "f"), posted: 0, kind: .posted, isRemote: true)
        }
        let pushes = [queue.push(work()), queue.push(work())]
        #expect(pushes == [.queuedFirst, .queued])
        let closedTooEarly = queue.close()
        #expect(!closedTooEarly)
        var taken = 0
        queue.takeAll { _ in
            taken += 1
        } takeJob: { _ in
        }
        let isEmpty = queue.isEmpty
        #expect(isEmpty)
        #expect(taken == 2)
        let isClosed = queue.close()
        #expect(isClosed)
        let late = queue.push(work())
        #expect(late == .refused)
        let count = queue.count
        #expect(count == 0)
    }

    /// The loop is closed while another thread stops it, which wakes it.
    @Test func wakeUps_raceWithClose_withoutTouchingAFreedHandle() throws {
        for _ in 0..<200 {
            let loop = try UVEventLoop()
            let stopper = try LoopThread(name: "stopper") { for _ in 0..<20 { loop.stop() } }
            try loop.run()
            try loop.close()
            stopper.join()
        }
    }

    @Test func posted_byAnotherThreadBefore_runsBefore() throws {
        try withLoop { loop in
            let order = Box<[String]>([])
            loop.callSoon {
                succeed { try onOtherThread { loop.execute { order.value.append("other thread") } } }
                loop.execute { order.value.append("execute") }
                succeed { try onOtherThread { loop.execute { order.value.append("other thread") } } }
                loop.callSoon { order.value.append("callSoon") }
            }
            try loop.run()
            #expect(order.value == ["other thread", "execute", "other thread", "callSoon"])
        }
    }

    @Test func boundValue_mayLookIntoItsBox_whileItIsReplaced() throws {
        final class Observer {
            var onEnd: () -> Void = {}
            deinit { onEnd() }
        }
        try withLoop { loop in
            let bound = UVLoopBound<Observer?>(Observer(), to: loop)
            var seen = false
            bound.value?.onEnd = { seen = bound.value == nil }
            bound.value = nil
            #expect(seen)
        }
    }
}
