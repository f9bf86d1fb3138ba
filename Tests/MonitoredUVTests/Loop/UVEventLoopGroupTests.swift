import Foundation
import Testing

@testable import MonitoredUV

struct UVEventLoopGroupTests {
    @Test func withGroup_shutsDown_alsoAfterAnError() async throws {
        struct Mistake: Error {}
        for fails in [false, true] {
            let loops = Box<[UVEventLoop]>([])
            do {
                let number = try await UVEventLoopGroup.withGroup(count: 2, name: "scoped") { group in
                    loops.value = group.loops
                    #expect("\(group)".hasPrefix("UVEventLoopGroup of scoped-1"))
                    if fails { throw Mistake() }
                    return 7
                }
                #expect(number == 7 && !fails)
            } catch is Mistake {
                #expect(fails)
            }
            #expect(loops.value.count == 2)
            for loop in loops.value { #expect(loop.shared.isClosed) }
        }
    }

    @Test func next_goesRoundRobin() throws {
        let group = try UVEventLoopGroup(count: 3, name: "ring")
        let names = (0..<7).map { _ in group.next().name }
        #expect(names == ["ring-1", "ring-2", "ring-3", "ring-1", "ring-2", "ring-3", "ring-1"])
        group.shutdown()
    }

    @Test func loops_runOnThreadsOfTheirOwn() throws {
        let group = try UVEventLoopGroup(count: 3)
        let threads = Lock<Set<UInt>>([])
        for loop in group.loops {
            loop.execute {
                #expect(UVEventLoop.current === loop)
                _ = threads.withLock { $0.insert(currentThread()) }
            }
        }
        group.shutdown()
        #expect(threads.withLock { $0.count } == 3)
    }

    @Test func shutdown_runsWhatWasPostedBefore_andClosesWhatIsOpen() throws {
        let group = try UVEventLoopGroup(count: 2)
        let ran = Counter()
        let canceled = Counter()
        for _ in 0..<1000 { group.next().execute { ran.count() } }
        for loop in group.loops { loop.execute { openEndlessWork(on: loop, canceled) } }
        group.shutdown()
        group.shutdown()
        #expect(ran.value == 1000)
        #expect(canceled.value == 2)
        for loop in group.loops {
            #expect(loop.core.members.handleBalance.open == 0)
            #expect(loop.core.members.requestBalance.open == 0)
            #expect(loop.core.isClosed)
        }
    }

    /// From a task, from one on the group's own loop too, and twice at once.
    @Test func asyncShutdown_waitsUntilAllLoopsAreClosed() async throws {
        let group = try UVEventLoopGroup(count: 2)
        let ran = Counter()
        for loop in group.loops { for _ in 0..<100 { loop.execute { ran.count() } } }
        async let first: Void = group.shutdown()
        await Task(executorPreference: group.loops[0]) { await group.shutdown() }.value
        await first
        #expect(ran.value == 200)
        #expect(group.loops.allSatisfy { $0.shared.isClosed })
        await group.shutdown()
    }

    @Test func shutdown_closesWhatCallbacksOpenMeanwhile() throws {
        let group = try UVEventLoopGroup(count: 1)
        let loop = group.next()
        loop.execute {
            UVTimer(on: loop) { _ in }.close()
            let late = UVTimer(on: loop) { _ in }
            late.name = "outer"
            UVTimer(on: loop) { _ in }.close { _ = UVTimer(on: loop) { _ in } }
        }
        group.shutdown()
        #expect(loop.core.members.handleBalance.created == 4)
        #expect(loop.core.members.handleBalance.freed == 4)
    }

    @Test func stop_ofOneLoop_doesNotEndItsThread() throws {
        let group = try UVEventLoopGroup(count: 1)
        let ran = Counter()
        for _ in 0..<10 {
            group.next().execute {
                UVEventLoop.current?.stop()
                ran.count()
            }
        }
        group.shutdown()
        #expect(ran.value == 10)
    }

    @Test func monitor_seesEveryLoop() throws {
        let names = Lock<Set<String>>([])
        let group = try UVEventLoopGroup(count: 3, name: "seen") { state in
            let name = state.loopName
            _ = names.withLock { $0.insert(name) }
        }
        for loop in group.loops { loop.execute {} }
        group.shutdown()
        #expect(names.withLock { $0 } == ["seen-1", "seen-2", "seen-3"])
    }

    @Test func count_mustBePositive() {
        let error = #expect(throws: UVError.self) { try UVEventLoopGroup(count: 0) }
        #expect(error?.code == .invalidArgument)
    }

    @Test func inEventLoop_isFalseOutside_fromTheBeginning() throws {
        for _ in 0..<50 {
            let group = try UVEventLoopGroup(count: 1)
            #expect(!group.next().inEventLoop)
            group.shutdown()
        }
    }

    /// Loops that post to each other until the end: all of it runs, whichever thread goes first.
    @Test func shutdown_runsWhatLoopsPostToEachOther() throws {
        for _ in 0..<20 {
            let group = try UVEventLoopGroup(count: 2)
            let ran = Counter()
            let (a, b) = (group.loops[0], group.loops[1])
            a.execute {
                spin(.milliseconds(3))
                b.execute {
                    spin(.milliseconds(3))
                    a.execute { b.execute { ran.count() } }
                }
            }
            group.shutdown()
            #expect(ran.value == 1)
        }
    }

    @Test func shutdown_calledTwiceAtOnce_waitsBothTimes() throws {
        let group = try UVEventLoopGroup(count: 1)
        group.next().execute { spin(.milliseconds(50)) }
        let other = try LoopThread(name: "other") {
            group.shutdown()
            #expect(group.loops[0].core.isClosed)
        }
        group.shutdown()
        #expect(group.loops[0].core.isClosed)
        other.join()
    }

    @Test(.enabled(if: FileManager.default.fileExists(atPath: "/proc/thread-self/comm")))
    func longName_keepsTheThreadsApart() throws {
        let group = try UVEventLoopGroup(count: 2, name: "größer-als-fünfzehn")
        let names = Lock<[String]>([])
        for loop in group.loops {
            loop.execute {
                let name = currentThreadName()
                names.withLock { $0.append(name) }
            }
        }
        group.shutdown()
        let found = names.withLock { $0 }.sorted()
        #expect(found.map { $0.hasSuffix("-1") || $0.hasSuffix("-2") } == [true, true])
        #expect(found[0] != found[1])
    }

    /// Active handles that are opened after the shutdown has closed the others must not keep the loop running.
    @Test func shutdown_ends_thoughCallbacksStartEndlessWorkMeanwhile() throws {
        let group = try UVEventLoopGroup(count: 1)
        let loop = group.next()
        let canceled = Counter()
        loop.execute {
            loop.callSoon { loop.callSoon { loop.callLater(.seconds(3600)) {} } }
            let retry = UVTimer(on: loop) { _ in }
            do {
                let server = try UVTCP(on: loop)
                try server.bind(to: loopback)
                try server.listen(onPending: { _ in })
                let client = try UVTCP(on: loop)
                try client.connect(to: server.localAddress()) { error in
                    if error?.code == .canceled { canceled.count() }
                    // What a client does that reconnects, with a timer that the shutdown closed already.
                    retry.start(after: .seconds(1), repeating: .seconds(1))
                    loop.callLater(.seconds(1), repeating: .seconds(1)) { _ in }
                }
                client.close()
            } catch { Issue.record(error) }
        }
        group.shutdown()
        #expect(canceled.value == 1)
        #expect(loop.core.members.handleBalance.open == 0)
    }

    @Test func shutdown_itself_isNoDispatch() throws {
        let dispatches = Counter()
        let group = try UVEventLoopGroup(count: 2) { _ in dispatches.count() }
        group.shutdown()
        #expect(dispatches.value == 0)
    }
}

/// A timer of an hour, and a connection that nobody ends.
private func openEndlessWork(on loop: UVEventLoop, _ canceled: Counter) {
    loop.callLater(.seconds(3600)) { Issue.record("an hour has not passed") }
    do {
        let client = try UVTCP(on: loop)
        let server = try UVTCP(on: loop)
        try server.bind(to: loopback)
        try server.listen { _ in }
        try client.connect(to: server.localAddress()) { error in if error?.code == .canceled { canceled.count() } }
        client.close()
    } catch { Issue.record(error) }
}
