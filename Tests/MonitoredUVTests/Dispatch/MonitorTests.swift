import Testing

@testable import MonitoredUV

/// The monitor itself: setting, replacing, removing, and what it may do.
struct MonitorTests {
    @Test func everyDispatch_isReportedOnce() throws {
        try withLoop { loop in
            let recorder = Recorder(on: loop)
            try loop.pair { client, accepted in
                try accepted.echo()
                try client.startReading { _ in
                    succeed { try client.shutdown { _ in } }
                } onEnd: { _ in
                    client.close {}
                }
                try client.write("x") { _ in }
            }
            var idle: UVIdle?
            idle = UVIdle(on: loop) { idle?.close() }
            idle?.start()
            loop.callLater(.zero) {}
            loop.callSoon {}
            loop.execute {}
            var handle: UVAsync?
            handle = try UVAsync(on: loop) { handle?.close() }
            try handle?.send()
            try loop.run()
            func count(_ kind: CallbackKind) -> Int { recorder.of(kind).count }
            #expect(count(.timer) == 1)
            #expect(count(.posted) == 2)
            #expect(count(.async) == 1)
            #expect(count(.connection) == 1)
            #expect(count(.connect) == 1)
            #expect(count(.read) == 4)  // bytes and end, on both sides
            #expect(count(.write) == 1)  // the echo has no completion
            #expect(count(.shutdown) == 1)
            #expect(count(.close) == 1)
            #expect(count(.hook) == 1)
            #expect(recorder.states.allSatisfy { $0.loopName == loop.name })
        }
    }

    @Test func handlesCount_returnsToZero_alsoAfterErrorAndCancel() throws {
        try withLoop { loop in
            let recorder = Recorder(on: loop)
            let refused = try UVTCP(on: loop)
            try refused.bind(to: loopback)
            let address = try refused.localAddress()
            refused.close()
            let client = try UVTCP(on: loop)
            try client.connect(to: address) { _ in client.close() }
            let canceled = try UVTCP(on: loop)
            try canceled.connect(to: address) { _ in }
            canceled.close()
            try loop.pair { client, accepted in
                try accepted.drain()
                try client.write([UInt8](repeating: 1, count: 32 << 20)) { _ in }
                client.close()
            }
            loop.callLater(.zero) {}
            loop.callSoon {}
            loop.execute {}
            try loop.run()
            loop.callSoon(name: "the last") {}
            try loop.run()
            #expect(recorder.states.map(\.loopHandlesCount).max()! > 3)
            #expect(try #require(recorder.named("the last").first).loopHandlesCount == 0)
        }
    }

    @Test func handlesCount_isWhatIsHeldApartFromTheDispatch() throws {
        try withLoop { loop in
            let recorder = Recorder(on: loop)
            let timers = (0..<2).map { _ in UVTimer(on: loop) { _ in } }
            timers.forEach { $0.start(after: .seconds(3600)) }
            timers[1].unref()
            let callback = loop.callLater(.seconds(3600)) {}
            loop.callSoon(name: "first") { loop.callSoon {} }
            loop.callSoon(name: "second") {}
            let other = try UVTCP(on: loop)  // neither active nor counted
            try loop.run(.noWait)
            // A referenced timer and a scheduled callback, and behind "first": "second" and what "first" posted.
            #expect(recorder.named("first").map(\.loopHandlesCount) == [4])
            #expect(recorder.named("second").map(\.loopHandlesCount) == [3])
            other.close()
            timers.forEach { $0.close() }
            callback.cancel()
            try loop.run()
        }
    }

    @Test func handlesCount_countsPostsOfOtherThreads() throws {
        try withLoop { loop in
            let recorder = Recorder(on: loop)
            loop.callSoon(name: "posting") {
                succeed { try onOtherThread { for _ in 0..<7 { loop.execute(name: "remote") {} } } }
            }
            try loop.run()
            #expect(recorder.named("posting").map(\.loopHandlesCount) == [7])
            #expect(recorder.named("remote").map(\.loopHandlesCount) == [6, 5, 4, 3, 2, 1, 0])
        }
    }

    @Test func monitor_canBeReplacedAndRemoved_whileTheLoopRuns() throws {
        try withLoop { loop in
            var seen: [String] = []
            loop.setMonitor { seen.append("A \($0.callbackPrettyName)") }
            loop.callSoon(name: "1") {}
            loop.callSoon(name: "2") { loop.setMonitor { seen.append("B \($0.callbackPrettyName)") } }
            loop.callSoon(name: "3") { loop.setMonitor(nil) }
            loop.callSoon(name: "4") { #expect(!loop.monitoring.isMonitored) }
            loop.callSoon(name: "5") { loop.setMonitor { seen.append("C \($0.callbackPrettyName)") } }
            loop.callSoon(name: "6") { #expect(loop.monitoring.isMonitored) }
            try loop.run()
            // "2" is told to the monitor it set; "3" to nobody; "5" began without one.
            #expect(seen == ["A 1", "B 2", "C 6"])
        }
    }

    @Test func monitor_mayReplaceAndRemoveItself() throws {
        try withLoop { loop in
            var seen: [String] = []
            loop.setMonitor { state in
                seen.append("A \(state.callbackPrettyName)")
                loop.setMonitor { state in
                    seen.append("B \(state.callbackPrettyName)")
                    loop.setMonitor(nil)
                }
            }
            for _ in 0..<4 { loop.callSoon(name: "x") {} }
            try loop.run()
            #expect(seen == ["A x", "B x"])
        }
    }

    @Test func monitor_setFromAnotherThread_holdsOnceTheLoopHasWoken() throws {
        try withLoop { loop in
            let forever = try UVAsync(on: loop) {}
            let seen = Box<[String]>([])
            loop.callSoon(name: "before") {
                succeed {
                    try onOtherThread { loop.monitoring.setMonitor { seen.value.append($0.callbackPrettyName) } }
                }
            }
            while !loop.monitoring.isMonitored { try loop.run(.once) }
            loop.callSoon(name: "after") {
                loop.callSoon(name: "last") { forever.close() }
            }
            try loop.run()
            #expect(seen.value == ["after", "last"])
        }
    }

    @Test func monitor_mayPostStopAndCloseTheHandleThatWasDispatched() throws {
        try withLoop { loop in
            var isClosing = false
            var posted = 0
            var dispatches = 0
            let timer = UVTimer(on: loop) { _ in dispatches += 1 }
            timer.name = "tick"
            loop.setMonitor { state in
                guard state.kind == .timer else { return }
                timer.close { isClosing = true }
                loop.callSoon(name: "from the monitor") { posted += 1 }
                loop.stop()
            }
            timer.start(after: .zero, repeating: .milliseconds(1))
            try loop.run()
            try loop.run()
            #expect(dispatches == 1)
            #expect(isClosing)
            #expect(posted == 1)
        }
    }

    @Test func monitor_mayCloseTheConnectionThatWasRead() throws {
        try withLoop { loop in
            try loop.pair { client, accepted in
                accepted.name = "connection"
                loop.setMonitor { state in
                    if state.kind == .read && state.callbackPrettyName == "connection" { accepted.close() }
                }
                try accepted.echo()
                try client.startReading { _ in
                } onEnd: { _ in
                    client.close()
                }
                try client.write("x")
            }
            try loop.run()
        }
    }

    @Test func monitorTime_isChargedToNoCallback() throws {
        try withLoop { loop in
            var walls: [Duration] = []
            loop.setMonitor { state in
                walls.append(state.callbackWallTime)
                spin(.milliseconds(20))
            }
            for _ in 0..<5 { loop.callSoon {} }
            try loop.run()
            #expect(walls.count == 5)
            #expect(loop.monitoring.time.monitor >= .milliseconds(100))
            // Even a callback that was interrupted for a while is far from 100 ms on average.
            #expect(walls.reduce(.zero, +) == loop.monitoring.time.callbacks)
            #expect(loop.monitoring.time.callbacks < loop.monitoring.time.monitor)
        }
    }

    @Test func names_areTheExplicitOne_thenThePlaceOfTheCall() throws {
        try withLoop { loop in
            let recorder = Recorder(on: loop)
            loop.callSoon(name: "explicit") {}
            loop.execute(name: "explicit too") {}
            loop.callSoon {}
            let line = #line - 1
            loop.callLater(.zero) { UVEventLoop.nameCurrentDispatch("GET /users/42") }
            try loop.run()
            let names = recorder.states.map(\.callbackPrettyName)
            let place = "MonitorTests.swift:\(line) names_areTheExplicitOne_thenThePlaceOfTheCall()"
            #expect(Set(names) == ["explicit", "explicit too", place, "GET /users/_"])
        }
    }

    @Test func nameCurrentDispatch_holdsForOneDispatch() throws {
        try withLoop { loop in
            UVEventLoop.nameCurrentDispatch("outside")  // does nothing
            let recorder = Recorder(on: loop)
            loop.callSoon(name: "a") { UVEventLoop.nameCurrentDispatch("renamed") }
            loop.callSoon(name: "b") {}
            try loop.run()
            #expect(recorder.states.map(\.callbackPrettyName) == ["renamed", "b"])
        }
    }

    @Test func monitorsThatAreAdded_areCalledInOrder_andGoOneByOne() throws {
        try withLoop { loop in
            var calls: [String] = []
            func note(_ who: String) -> (borrowing IOLoopMonitorState) -> Void {
                { if $0.kind == .posted { calls.append("\(who) \($0.callbackPrettyName)") } }
            }
            let first = loop.addMonitor(note("first"))
            let second = loop.addMonitor(note("second"))
            #expect(loop.monitoring.level == .callbacks)
            loop.callSoon(name: "a") {}
            try loop.run()
            #expect(calls == ["first a", "second a"])
            calls = []
            loop.setMonitor(note("own"))
            first.cancel()
            first.cancel()
            loop.callSoon(name: "b") { loop.setMonitor(nil) }
            loop.callSoon(name: "c") { second.cancel() }
            loop.callSoon(name: "d") {}
            try loop.run()
            #expect(calls == ["second b"])
            #expect(loop.monitoring.level == .off)
            #expect(!loop.monitoring.isMonitored)
        }
    }

    /// From other threads, while the loop runs: none is lost, and none is called once it is gone.
    @Test func monitorsThatComeAndGo_doNotDisturbTheOthers() throws {
        try withLoop { loop in
            let steady = Counter()
            let passing = Counter()
            loop.monitoring.addMonitor { if $0.kind == .posted { steady.count() } }
            let end = Counter()
            let changing = try LoopThread(name: "changing") {
                for _ in 0..<500 { loop.monitoring.addMonitor { _ in passing.count() }.cancel() }
                end.count()
                loop.execute {}
            }
            var dispatches = 1  // the last one
            func next() {
                dispatches += 1
                if end.value == 0 { loop.callSoon(next) }
            }
            loop.callSoon(next)
            while end.value == 0 { try loop.run(.noWait) }
            changing.join()
            try loop.run()
            #expect(steady.value == dispatches)
            let before = passing.value
            loop.callSoon {}
            try loop.run()
            #expect(passing.value == before)
        }
    }

    /// A closure that holds its own subscription is released by `cancel()`.
    @Test func canceledSubscription_holdsNothing() throws {
        final class Subscriber { var subscription: MonitoringSubscription? }
        try withLoop { loop in
            weak var known: Subscriber?
            do {
                let subscriber = Subscriber()
                known = subscriber
                subscriber.subscription = loop.addMonitor { _ in withExtendedLifetime(subscriber) {} }
                subscriber.subscription?.cancel()
            }
            loop.callSoon {}
            try loop.run()
            #expect(known == nil)
        }
    }

    @Test func monitorOfAClosedLoop_isFreed() throws {
        final class Token: Sendable {}
        weak var token: Token?
        let loop = try UVEventLoop()
        do {
            let held = Token()
            token = held
            loop.monitoring.addMonitor { _ in withExtendedLifetime(held) {} }
        }
        try loop.close()
        #expect(token == nil)
        loop.monitoring.addMonitor { _ in }.cancel()
    }

    /// The replaced monitor frees something that changes the monitor again.
    @Test func monitor_mayBeSetWhileOneIsFreed() throws {
        final class Subscription {
            let monitoring: Monitoring
            init(_ monitoring: Monitoring) { self.monitoring = monitoring }
            deinit { monitoring.setMonitor(nil) }
        }
        try withLoop { loop in
            func subscribe() {
                let subscription = Subscription(loop.monitoring)
                loop.monitoring.setMonitor { _ in withExtendedLifetime(subscription) {} }
            }
            subscribe()
            subscribe()
            subscribe()
            try loop.run()
        }
    }

    @Test func monitor_thatIsNeverApplied_orSetTooLate_isFreed() throws {
        final class Token {}
        weak var early: Token?
        weak var late: Token?
        do {
            let loop = try UVEventLoop()
            func set(_ body: (Token) -> Void) -> Token {
                let token = Token()
                body(token)
                return token
            }
            early = set { token in
                let token = Box(token)
                loop.monitoring.setMonitor { [loop] _ in withExtendedLifetime((loop, token)) {} }
            }
            try loop.close()
            late = set { token in loop.setMonitor { [loop] _ in withExtendedLifetime((loop, token)) {} } }
            #expect(!loop.monitoring.isMonitored)
        }
        #expect(early == nil)
        #expect(late == nil)
    }
}
