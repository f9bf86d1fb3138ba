import Testing

@testable import MonitoredUV

/// A `deinit` is the program's code: whatever a loop lets go of, the time that takes belongs to a dispatch.
struct ReleaseTests {
    private static let length = Duration.milliseconds(60)

    /// An object that callbacks capture: it takes long to go, and notes in which dispatch it does.
    private final class Slow {
        private let loop: UVEventLoop
        private let ends: Box<[String]>

        init(on loop: UVEventLoop, _ ends: Box<[String]> = Box([])) {
            self.loop = loop
            self.ends = ends
        }

        deinit {
            spin(ReleaseTests.length)
            ends.value.append(loop.core.vitals.inFlight.current.map { "\($0.kind) \($0.name.text)" } ?? "none")
        }

        func use() {}
    }

    /// Runs what `body` sets up around a slow object, and expects that to end within a dispatch of this kind and name.
    private func expectRelease(
        in kind: CallbackKind,
        _ name: String,
        sourceLocation: SourceLocation = #_sourceLocation,
        _ body: (UVEventLoop, _ slow: @escaping () -> Slow) throws -> Void
    ) throws {
        try withLoop(sourceLocation: sourceLocation) { loop in
            let ends = Box<[String]>([])
            let recorder = Recorder(on: loop)
            try body(loop) { [unowned loop] in Slow(on: loop, ends) }
            try loop.run()
            #expect(ends.value == ["\(kind) \(name)"], sourceLocation: sourceLocation)
            let walls = recorder.named(name).filter { $0.kind == kind }.map(\.callbackWallTime)
            #expect(walls.max() ?? .zero >= Self.length, sourceLocation: sourceLocation)
        }
    }

    @Test func closingATimer_isChargedToWhoClosesIt() throws {
        try expectRelease(in: .posted, "closer") { loop, slow in
            let timer = { [object = slow()] in UVTimer(on: loop) { _ in object.use() } }()
            timer.start(after: .seconds(100))
            loop.callSoon(name: "closer") { timer.close() }
        }
    }

    @Test func closingATimer_inItsOwnCall_isChargedToThat() throws {
        try expectRelease(in: .timer, "own") { loop, slow in
            let timer = { [object = slow()] in
                UVTimer(on: loop, name: "own") { timer in
                    timer.close()
                    object.use()
                }
            }()
            timer.start(after: .zero, repeating: .seconds(100))
        }
    }

    @Test func cancelingACallback_inItsOwnCall_isChargedToThat() throws {
        try expectRelease(in: .timer, "own") { loop, slow in
            _ = { [object = slow()] in
                loop.callLater(.zero, repeating: .seconds(100), name: "own") { callback in
                    callback.cancel()
                    object.use()
                }
            }()
        }
    }

    @Test func aCallbacksOnlyCall_letsGoOfItsClosure() throws {
        try expectRelease(in: .timer, "own") { loop, slow in
            _ = { [object = slow()] in loop.callLater(.zero, name: "own") { object.use() } }()
        }
    }

    @Test func closingAnAsync_isChargedToWhoClosesIt() throws {
        try expectRelease(in: .posted, "closer") { loop, slow in
            let async = try { [object = slow()] in try UVAsync(on: loop) { object.use() } }()
            loop.callSoon(name: "closer") { async.close() }
        }
    }

    @Test func closingAHook_isChargedToWhoClosesIt() throws {
        try expectRelease(in: .posted, "closer") { loop, slow in
            let hook = { [object = slow()] in UVCheck(on: loop) { object.use() } }()
            loop.callSoon(name: "closer") { hook.close() }
        }
    }

    @Test func closingAListener_isChargedToWhoClosesIt() throws {
        try expectRelease(in: .posted, "closer") { loop, slow in
            let server = try { [object = slow()] in try loop.server { _ in object.use() }.server }()
            loop.callSoon(name: "closer") { server.close() }
        }
    }

    @Test func closingAReader_isChargedToWhoClosesIt() throws {
        try expectRelease(in: .posted, "closer") { loop, slow in
            try loop.pair { client, accepted in
                let object = slow()
                try client.startReading { _ in
                    object.use()
                } onEnd: { _ in
                }
                loop.callSoon(name: "closer") {
                    client.close()
                    accepted.close()
                }
            }
        }
    }

    @Test func stoppingToRead_isChargedToWhoStops() throws {
        try expectRelease(in: .posted, "stopper") { loop, slow in
            try loop.pair { client, accepted in
                let object = slow()
                try client.startReading { _ in
                    object.use()
                } onEnd: { _ in
                }
                loop.callSoon(name: "stopper") { client.stopReading() }
                loop.callSoon(name: "next") {
                    client.close()
                    accepted.close()
                }
            }
        }
    }

    @Test func stoppingToRead_inARead_isChargedToThat() throws {
        try expectRelease(in: .read, "client") { loop, slow in
            try loop.pair { client, accepted in
                client.name = "client"
                let object = slow()
                try client.startReading { _ in
                    client.stopReading()
                    object.use()
                    loop.callSoon(name: "next") {
                        client.close()
                        accepted.close()
                    }
                } onEnd: { _ in
                }
                try accepted.write("x")
            }
        }
    }

    @Test func endOfStream_isChargedToItsCall() throws {
        try expectRelease(in: .read, "client") { loop, slow in
            try loop.pair { client, accepted in
                client.name = "client"
                let object = slow()
                try client.startReading { _ in
                } onEnd: { _ in
                    object.use()
                    loop.callSoon(name: "next") { client.close() }
                }
                accepted.close()
            }
        }
    }

    @Test func completions_areChargedToThemselves() throws {
        func close(_ streams: UVTCP...) { streams.forEach { $0.close() } }
        try expectRelease(in: .write, "client") { loop, slow in
            try loop.pair { client, accepted in
                client.name = "client"
                let object = slow()
                try accepted.drain()
                // More than the kernel takes at once.
                try client.write([UInt8](repeating: 1, count: 4 << 20)) { _ in
                    object.use()
                    close(client)
                }
            }
        }
        try expectRelease(in: .write, "client") { loop, slow in
            try loop.pair { client, accepted in
                client.name = "client"
                let object = slow()
                try client.write("x") { _ in
                    object.use()
                    close(client, accepted)
                }
            }
        }
        try expectRelease(in: .shutdown, "client") { loop, slow in
            try loop.pair { client, accepted in
                client.name = "client"
                let object = slow()
                try client.shutdown { _ in
                    object.use()
                    close(client, accepted)
                }
            }
        }
        try expectRelease(in: .connect, "client") { loop, slow in
            let (server, address) = try loop.server { close($0) }
            let client = try UVTCP(on: loop)
            client.name = "client"
            let object = slow()
            try client.connect(to: address) { _ in
                object.use()
                close(client, server)
            }
        }
        try expectRelease(in: .close, "client") { loop, slow in
            let client = try UVTCP(on: loop)
            client.name = "client"
            let object = slow()
            client.close { object.use() }
        }
    }

    @Test func lookup_isChargedToItsCompletion() throws {
        try withLoop { loop in
            let recorder = Recorder(on: loop)
            func start() throws {
                let object = Slow(on: loop)
                try loop.getaddrinfo("127.0.0.1", port: 1) { _ in object.use() }
            }
            try start()
            try loop.run()
            #expect(try #require(recorder.of(.getaddrinfo).first).callbackWallTime >= Self.length)
        }
    }

    @Test func monitor_isChargedToWhoReplacesIt() throws {
        try withLoop { loop in
            var recorder: Recorder?
            func setMonitor() {
                let object = Slow(on: loop)
                loop.setMonitor { _ in object.use() }
            }
            setMonitor()
            loop.callSoon(name: "swap") { recorder = Recorder(on: loop) }
            loop.callSoon(name: "behind") {}
            try loop.run()
            #expect(try #require(recorder?.named("swap").first).callbackWallTime >= Self.length)
            #expect(try #require(recorder?.named("behind").first).loopLag >= Self.length)
        }
    }

    @Test func monitor_thatReplacesItself_isChargedToTheMonitor() throws {
        try withLoop { loop in
            func setMonitor() {
                let object = Slow(on: loop)
                loop.setMonitor { _ in
                    object.use()
                    loop.setMonitor { _ in }
                }
            }
            setMonitor()
            loop.callSoon {}
            try loop.run()
            #expect(loop.monitoring.time.monitor >= Self.length)
            #expect(loop.monitoring.time.overhead < Self.length)
        }
    }

    /// The loop is woken for it, outside of any other dispatch.
    @Test func monitor_replacedByAnotherThread_isADispatchOfItsOwn() throws {
        try withLoop { loop in
            let states = Box<[IOLoopMonitorState]>([])
            func setMonitor() {
                let object = Slow(on: loop)
                loop.setMonitor { _ in object.use() }
            }
            setMonitor()
            let keep = try UVAsync(on: loop) {}
            let open = UVLoopBound(keep, to: loop)
            let thread = try LoopThread(name: "other") {
                loop.monitoring.setMonitor { states.value.append(copy $0) }
                loop.execute(name: "last") { open.value.close() }
            }
            try loop.run()
            thread.join()
            let releases = states.value.filter { $0.kind == .release }
            #expect(releases.map(\.callbackPrettyName) == ["monitor"])
            #expect(try #require(releases.first).callbackWallTime >= Self.length)
        }
    }

    /// Objects that a group's shutdown releases go in a dispatch, and so does the code of a task's cancellation.
    @Test func shutdown_isADispatch() throws {
        let states = Box<[IOLoopMonitorState]>([])
        let group = try UVEventLoopGroup(count: 1) { states.value.append(copy $0) }
        let loop = group.next()
        try onOtherThread {
            loop.execute {
                let object = Slow(on: loop)
                loop.callLater(.seconds(100)) { object.use() }
            }
        }
        group.shutdown()
        let releases = states.value.filter { $0.kind == .release && $0.callbackPrettyName == "shutdown" }
        #expect(releases.map(\.callbackWallTime).max() ?? .zero >= Self.length)
    }

    @Test func loopThatIsReleased_letsGo_andTellsNoMonitor() throws {
        let told = Box(0)
        let ended = Box(false)
        final class Ending {
            let box: Box<Bool>
            init(_ box: Box<Bool>) { self.box = box }
            deinit { box.value = true }
        }
        func use() throws {
            let loop = try UVEventLoop()
            loop.setMonitor { _ in told.value += 1 }
            let object = Ending(ended)
            _ = try loop.server { _ in withExtendedLifetime(object) {} }
        }
        try use()
        #expect(ended.value)
        #expect(told.value == 0)
    }

    /// At every level, what a `deinit` posts runs before the run ends.
    @Test(arguments: MonitoringLevel.allCases)
    func whatADeinitPosts_runs(_ level: MonitoringLevel) throws {
        final class Posting {
            let loop: UVEventLoop
            let ran: Box<Int>
            init(_ loop: UVEventLoop, _ ran: Box<Int>) { (self.loop, self.ran) = (loop, ran) }
            deinit {
                loop.callSoon { [ran] in ran.value += 1 }
                loop.callLater(.milliseconds(1)) { [ran] in ran.value += 1 }
            }
        }
        try withLoop { loop in
            loop.monitoring.level = level
            let ran = Box(0)
            try loop.pair { client, accepted in
                let object = Posting(loop, ran)
                try client.startReading { _ in
                    withExtendedLifetime(object) {}
                    client.close()
                    accepted.close()
                } onEnd: { _ in
                }
                try accepted.write("x")
            }
            try loop.run()
            #expect(ran.value == 2)
        }
    }

    @Test func streamThatIsStoppedOutsideOfARun_letsGoAtOnce() throws {
        try withLoop { loop in
            weak var object: Counter?
            var streams: [UVTCP] = []
            try loop.pair { client, accepted in
                streams = [client, accepted]
                loop.stop()
            }
            try loop.run()
            func read() throws {
                let counter = Counter()
                object = counter
                try streams[0].startReading { _ in
                    counter.count()
                } onEnd: { _ in
                }
            }
            try read()
            #expect(object != nil)
            streams[0].stopReading()
            #expect(object == nil)
            streams.forEach { $0.close() }
            try loop.run()
        }
    }

    @Test func manyReleasesInOneDispatch_areEachMadeOnce() throws {
        try withLoop { loop in
            let ended = Box(0)
            final class Ending {
                let ended: Box<Int>
                init(_ ended: Box<Int>) { self.ended = ended }
                deinit { ended.value += 1 }
            }
            loop.callSoon { for _ in 0..<50_000 { loop.core.recorder.deferRelease(Ending(ended), .unnamed) } }
            try loop.run()
            #expect(ended.value == 50_000)
        }
    }

    /// The monitor stays, and nothing is let go.
    @Test func watchdogOnAMonitoredLoop_makesNoDispatch() throws {
        try withLoop { loop in
            let recorder = Recorder(on: loop)
            loop.monitoring.startWatchdog { _ in }
            loop.monitoring.logSlowCallbacks()
            loop.callSoon {}
            try loop.run()
            #expect(recorder.states.map(\.kind) == [.posted])
        }
    }
}
