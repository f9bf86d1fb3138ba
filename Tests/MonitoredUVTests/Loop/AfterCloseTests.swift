import Foundation
import Testing

@testable import MonitoredUV

/// Work that comes to a loop after it was closed ends nothing but itself.
struct AfterCloseTests {
    /// How often `text` stands in what the process wrote.
    private func count(_ text: String, in result: ExitTest.Result?) -> Int {
        let output = result.map { String(decoding: $0.standardErrorContent, as: UTF8.self) } ?? ""
        return output.components(separatedBy: text).count - 1
    }

    @Test func posts_areRefused_withOneWarning() async {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            let loop = try UVEventLoop(name: "gone")
            let calls = Counter()
            #expect(loop.execute { calls.count() })
            loop.callSoon(name: "soon") { calls.count() }
            try loop.run()
            try loop.close()
            #expect(!loop.execute { calls.count() })
            #expect(!loop.execute(name: "named") { calls.count() })
            loop.callSoon { calls.count() }
            loop.callSoon(name: "named") { calls.count() }
            try onOtherThread { post(1000, to: loop, calls) }
            #expect(calls.value == 2)
        }
        #expect(count("work was posted to UVEventLoop 'gone' after it was closed", in: result) == 1)
    }

    @Test func refusedClosure_isReleased() throws {
        let loop = try UVEventLoop()
        try loop.close()
        weak var weakly: Released?
        do {
            let object = Released()
            weakly = object
            loop.execute { withExtendedLifetime(object) {} }
        }
        #expect(weakly == nil)
    }

    /// Threads that post while the loop is closed: each call is told what became of its closure.
    @Test func postsThatMeetTheClose_runOrAreRefused() throws {
        for _ in 0..<50 {
            let loop = try UVEventLoop()
            let (accepted, ran, isStarted) = (Counter(), Counter(), Counter())
            let poster = try LoopThread(name: "poster") {
                isStarted.count()
                postUntilClosed(loop, accepted, ran)
            }
            while isStarted.value == 0 {}
            repeat { try loop.run(.noWait) } while (try? loop.close()) == nil
            poster.join()
            #expect(accepted.value == ran.value)
        }
    }

    @Test func tasks_goOnElsewhere_withOneWarning() async {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent]) {
            let loop = try UVEventLoop(name: "gone")
            let gate = Gate()
            let left = Task(executorPreference: loop) { try await gate.passSlowly() }
            while !gate.hasVisitor { try loop.run(.noWait) }
            while (try? loop.close()) == nil { try loop.run(.noWait) }
            gate.open()
            let result = try await left.value
            #expect(result == 42)
            let new = await Task(executorPreference: loop) { 7 }.value
            #expect(new == 7)
            await #expect(throws: UVError.self) {
                _ = try await UVTCPConnection.connect(host: "127.0.0.1", port: 1, on: loop)
            }
        }
        #expect(count("a task or an actor resumed on UVEventLoop 'gone' after it was closed", in: result) == 1)
    }

    /// Never two at once, and always isolated.
    @Test func actors_areStillIsolated() async throws {
        let loop = try UVEventLoop()
        let pinned = [Tally(loop), Tally(loop)]
        try loop.close()
        await withDiscardingTaskGroup { group in
            for number in 0..<1000 { group.addTask { await pinned[number % 2].count() } }
        }
        #expect(await pinned[0].number == 500)
        #expect(await pinned[1].number == 500)
        #expect(Tally.overlaps.value == 0)
    }

    @Test func closeCompletion_runsAtOnce() throws {
        let loop = try UVEventLoop()
        let timer = UVTimer(on: loop) { _ in }
        timer.close()
        try loop.run()
        try loop.close()
        timer.close()
        var isClosed = false
        timer.close { isClosed = true }
        #expect(isClosed)
    }

    @Test func handlesAndRequests_thatCanThrow_throw() throws {
        let loop = try UVEventLoop(name: "gone")
        try loop.close()
        let socket = #expect(throws: UVError.self) { _ = try UVTCP(on: loop) }
        #expect(socket?.code == .invalidArgument)
        #expect(socket?.detail?.contains("is closed") == true)
        #expect(throws: UVError.self) { _ = try UVAsync(on: loop) {} }
        #expect(throws: UVError.self) { try loop.getaddrinfo("localhost", port: 1) { _ in } }
        #expect(throws: UVError.self) { try loop.run() }
    }
}

private func post(_ count: Int, to loop: UVEventLoop, _ calls: Counter) {
    for _ in 0..<count { loop.execute { calls.count() } }
}

private func postUntilClosed(_ loop: UVEventLoop, _ accepted: Counter, _ ran: Counter) {
    while loop.execute({ ran.count() }) {
        accepted.count()
        usleep(20)  // else there is always something posted, and a close refuses
    }
}

/// Holds up a task.
private final class Gate: Sendable {
    private let visitor = Lock<CheckedContinuation<Void, Never>?>(nil)
    var hasVisitor: Bool { visitor.withLock { $0 != nil } }

    func open() { visitor.withLock { $0 }?.resume() }

    nonisolated(nonsending) func passSlowly() async throws -> Int {
        await withCheckedContinuation { continuation in visitor.withLock { $0 = continuation } }
        async let child = 40
        try await Task.sleep(for: .milliseconds(1))
        await Task.yield()
        return await child + 2
    }
}

private final class Released: Sendable {}

private actor Tally {
    nonisolated let loop: UVEventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
    private(set) var number = 0
    private static let inside = Counter()
    private static let left = Counter()
    static let overlaps = Counter()

    init(_ loop: UVEventLoop) { self.loop = loop }

    func count() {
        preconditionIsolated()
        Self.inside.count()
        if Self.inside.value - Self.left.value != 1 { Self.overlaps.count() }
        number += 1
        Self.left.count()
    }
}
