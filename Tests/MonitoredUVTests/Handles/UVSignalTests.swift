import MonitoredUVPlatform
import Testing

@testable import MonitoredUV

/// Signals are the whole process's: each test has numbers of its own, or a process.
@Suite(.serialized) struct UVSignalTests {
    #if os(Linux)
        // Real-time signals, which nothing else uses.
        private static let (first, second, third): (UVSignal.Number, UVSignal.Number, UVSignal.Number) = (40, 41, 42)
    #else
        private static let first = UVSignal.Number(rawValue: SIGVTALRM)
        private static let second = UVSignal.Number(rawValue: SIGXCPU)
        private static let third = UVSignal.Number(rawValue: SIGTTOU)
    #endif

    private func send(_ number: UVSignal.Number) { kill(getpid(), number.rawValue) }

    @Test func signal_isADispatch_withItsNumber() throws {
        try withLoop { loop in
            let recorder = Recorder(on: loop)
            var numbers: [UVSignal.Number] = []
            let signal = try UVSignal(on: loop, name: "reload") { numbers.append($0) }
            #expect(signal.number == nil)
            try signal.start(Self.first)
            #expect(signal.number == Self.first)
            for count in 1...3 {
                send(Self.first)
                while numbers.count < count { try loop.run(.once) }
            }
            #expect(numbers == [Self.first, Self.first, Self.first])
            #expect(recorder.of(.signal).map(\.callbackPrettyName) == ["reload", "reload", "reload"])
            #expect(recorder.of(.signal).allSatisfy { $0.loopLagRange != nil })
            signal.close()
            try loop.run()
        }
    }

    #if os(Linux)
        /// Threads that compute would no longer tell their stacks.
        @Test func signalForStacks_isNotTaken() async {
            await #expect(processExitsWith: .success) {
                let loop = try UVEventLoop()
                loop.monitoring.level = .metrics
                loop.callSoon {}
                try loop.run()
                let signal = try UVSignal(on: loop) { _ in }
                do throws(UVError) {
                    try signal.start(UVSignal.Number(rawValue: SIGURG))
                    Issue.record("started")
                } catch {
                    #expect(error.code == .busy)
                }
                signal.close()
                try loop.run()
                try loop.close()
            }
        }
    #endif

    @Test func startOnce_stopsAfterOneSignal() throws {
        try withLoop { loop in
            var calls = 0
            let signal = try UVSignal(on: loop) { _ in calls += 1 }
            let other = try UVSignal(on: loop) { _ in calls += 100 }
            try other.start(Self.second)  // the process would end by the second signal
            try signal.startOnce(Self.second)
            send(Self.second)
            while calls < 101 { try loop.run(.once) }
            #expect(signal.number == nil)
            #expect(!signal.isActive)
            send(Self.second)
            while calls < 201 { try loop.run(.once) }
            #expect(calls == 201)
            signal.close()
            other.close()
            try loop.run()
        }
    }

    /// Each of several handles is called, on each of several loops; a closed one is not.
    @Test func everyHandle_isCalled_onEveryLoop() throws {
        try withLoop { loop in
            let other = try UVEventLoop()
            var calls: [String] = []
            let handles = try [("a", loop), ("b", loop), ("c", other)].map { name, loop in
                let signal = try UVSignal(on: loop) { _ in calls.append(name) }
                try signal.start(Self.first)
                return signal
            }
            send(Self.first)
            while calls.count < 2 { try loop.run(.once) }
            while calls.count < 3 { try other.run(.once) }
            #expect(calls.sorted() == ["a", "b", "c"])
            handles[0].close()
            send(Self.first)
            while calls.count < 4 { try loop.run(.once) }
            while calls.count < 5 { try other.run(.once) }
            #expect(calls.dropFirst(3) == ["b", "c"])
            handles.forEach { $0.close() }
            try loop.run()
            try other.run()
            try other.close()
        }
    }

    @Test func anotherNumber_takesThePlaceOfTheFirst() throws {
        try withLoop { loop in
            var numbers: [UVSignal.Number] = []
            let guarded = try UVSignal(on: loop) { _ in }
            try guarded.start(Self.first)
            let signal = try UVSignal(on: loop) { numbers.append($0) }
            try signal.start(Self.first)
            try signal.start(Self.third)
            #expect(signal.number == Self.third)
            send(Self.first)
            send(Self.third)
            while numbers.isEmpty { try loop.run(.once) }
            #expect(numbers == [Self.third])
            signal.stop()
            signal.stop()
            #expect(signal.number == nil)
            signal.close()
            guarded.close()
            try loop.run()
            signal.stop()
            #expect((#expect(throws: UVError.self) { try signal.start(Self.first) })?.code == .badFileDescriptor)
        }
    }

    @Test(arguments: [0, -1, 65, 1000, SIGKILL, SIGSTOP, SIGSEGV, SIGILL, SIGABRT, SIGFPE, SIGBUS, SIGTRAP, SIGSYS])
    func numberThatCannotBeCaught_isAnError(_ number: Int32) throws {
        try withLoop { loop in
            let signal = try UVSignal(on: loop) { _ in }
            let error = #expect(throws: UVError.self) { try signal.start(UVSignal.Number(rawValue: number)) }
            #expect(error?.code == .invalidArgument)
            #expect(signal.number == nil)
            #expect(throws: UVError.self) { try signal.startOnce(UVSignal.Number(rawValue: number)) }
            #expect(throws: UVError.self) { try loop.onSignal(UVSignal.Number(rawValue: number)) {} }
            signal.close()
            try loop.run()
        }
    }

    /// `onSignal` does not keep the loop going, and is what Ctrl-C needs.
    @Test func interrupt_stopsAServer_andTheDefaultIsBackAfterwards() async {
        await #expect(processExitsWith: .signal(SIGINT)) {
            let loop = try UVEventLoop()
            let server = try UVTCP(on: loop)
            try server.bind(to: loopback)
            try server.listen { _ in }
            let signal = try loop.onSignal(.interrupt) { server.close() }
            precondition(!signal.keepsLoopAlive)
            loop.callSoon { kill(getpid(), SIGINT) }
            try loop.run()
            precondition(server.isClosing)
            signal.close()
            try loop.run()
            try loop.close()
            kill(getpid(), SIGINT)
            pause()
        }
    }

    /// Behind a handle for SIGPIPE, a write to a peer that is gone must not end the process.
    @Test func sigpipe_isHarmlessAfterItsHandle() async {
        await #expect(processExitsWith: .success) { try raiseSIGPIPE { $0.stop() } }
        await #expect(processExitsWith: .success) { try raiseSIGPIPE { $0.close() } }
        await #expect(processExitsWith: .success) { try raiseSIGPIPE { try $0.start(.windowChange) } }
        await #expect(processExitsWith: .success) {
            try raiseSIGPIPE { signal in
                try signal.startOnce(.pipe)
                kill(getpid(), SIGPIPE)
                while signal.number != nil { try signal.loop.run(.once) }
            }
        }
    }

    @Test func failedStart_endsTheWait_andLeavesSIGPIPEHarmless() async {
        await #expect(processExitsWith: .success) {
            try raiseSIGPIPE { signal in
                #expect(throws: UVError.self) { try signal.start(.init(rawValue: SIGKILL)) }
                precondition(signal.number == nil)
            }
        }
    }

    @Test func sequence_givesSignals_untilItsTaskIsCanceled() async throws {
        try await withTasks { loop in
            let signals = loop.signals(Self.first, Self.second)
            send(Self.first)
            var iterator = signals.makeAsyncIterator()
            let gotfirst = try await iterator.next()
            #expect(gotfirst == Self.first)
            send(Self.second)
            let gotsecond = try await iterator.next()
            #expect(gotsecond == Self.second)
            let task = Task(executorPreference: loop) {
                var count = 0
                for try await _ in loop.signals(Self.third) { count += 1 }
                return count
            }
            while loop.monitoring.snapshot().handles["signal"] != 3 { await Task.yield() }
            task.cancel()
            let count = try await task.value
            #expect(count == 0)
            while loop.monitoring.snapshot().handles["signal"] != 2 { await Task.yield() }
        }
    }

    @Test func sequence_endsWithItsLoop_andThrowsForWhatCannotBeCaught() async throws {
        let group = try UVEventLoopGroup(count: 1)
        let loop = group.loops[0]
        let ended = Task {
            var count = 0
            for try await _ in loop.signals(Self.first) { count += 1 }
            return count
        }
        await #expect(throws: UVError.self) { for try await _ in loop.signals(.init(rawValue: SIGKILL)) {} }
        while loop.monitoring.snapshot().handles["signal"] != 1 { await Task.yield() }
        await group.shutdown()
        let count = try await ended.value
        #expect(count == 0)
        await #expect(throws: UVError.self) { for try await _ in loop.signals(Self.first) {} }
    }

    @Test func number_hasItsName() {
        #expect(
            "\(UVSignal.Number.interrupt) \(UVSignal.Number(rawValue: 64)) \(15 as UVSignal.Number)"
                == "SIGINT signal 64 SIGTERM"
        )
    }
}

private func raiseSIGPIPE(_ end: (UVSignal) throws -> Void) throws {
    let loop = try UVEventLoop()
    let signal = try UVSignal(on: loop) { _ in }
    try signal.start(.pipe)
    try end(signal)
    kill(getpid(), SIGPIPE)
    signal.close()
    try loop.run()
    try loop.close()
}
