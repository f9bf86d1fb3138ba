import MonitoredUVPlatform
import Testing

@testable import MonitoredUV

struct UVPollTests {
    private func withSocketPair(_ body: (Int32, Int32) throws -> Void) throws {
        var ends: [Int32] = [-1, -1]
        #expect(socketpair(AF_UNIX, Platform.streamSocket, 0, &ends) == 0)
        defer { ends.forEach { Platform.close($0) } }
        try body(ends[0], ends[1])
    }

    @Test func readable_isADispatch_asLongAsThereIsSomething() throws {
        try withSocketPair { near, far in
            try withLoop { loop in
                let recorder = Recorder(on: loop)
                var events: [UVPoll.Events] = []
                let poll = try UVPoll(on: loop, descriptor: near, name: "library") { result in
                    succeed { events.append(try result.get()) }
                }
                #expect(poll.descriptor == near)
                try poll.start(.readable)
                #expect(poll.isActive)
                try loop.run(.noWait)
                #expect(events == [])
                #expect(write(far, "ab", 2) == 2)
                try loop.run(.once)
                try loop.run(.once)
                #expect(events == [.readable, .readable])
                var bytes = [UInt8](repeating: 0, count: 8)
                #expect(read(near, &bytes, 8) == 2)
                try loop.run(.noWait)
                #expect(events.count == 2)
                #expect(recorder.of(.poll).map(\.callbackPrettyName) == ["library", "library"])
                #expect(recorder.of(.poll).allSatisfy { $0.loopLagRange != nil })
                poll.close()
                try loop.run()
            }
        }
    }

    @Test func events_canBeChanged_combined_andEnded() throws {
        try withSocketPair { near, far in
            try withLoop { loop in
                var events: [UVPoll.Events] = []
                let poll = try UVPoll(on: loop, descriptor: near) { result in
                    succeed { events.append(try result.get()) }
                }
                try poll.start([.readable, .writable])
                try loop.run(.once)
                #expect(events == [.writable])
                #expect(write(far, "a", 1) == 1)
                try loop.run(.once)
                #expect(events.last == [.readable, .writable])
                try poll.start(.readable)
                try loop.run(.once)
                #expect(events.last == .readable)
                try poll.start([])
                #expect(!poll.isActive)
                try poll.start(.readable)
                poll.stop()
                poll.stop()
                #expect(!poll.isActive)
                let count = events.count
                try #expect(loop.run() == false)
                #expect(events.count == count)
                #expect(
                    (#expect(throws: UVError.self) { try poll.start(.init(rawValue: 64)) })?.code == .invalidArgument
                )
                poll.close()
                try loop.run()
                poll.stop()
                #expect((#expect(throws: UVError.self) { try poll.start(.readable) })?.code == .badFileDescriptor)
            }
        }
    }

    @Test func disconnect_isTold() throws {
        try withLoop { loop in
            var ends: [Int32] = [-1, -1]
            #expect(socketpair(AF_UNIX, Platform.streamSocket, 0, &ends) == 0)
            var seen: UVPoll.Events = []
            let poll = try UVPoll(on: loop, descriptor: ends[0]) { result in
                succeed { seen.formUnion(try result.get()) }
            }
            try poll.start([.readable, .disconnect])
            Platform.close(ends[1])
            while !seen.contains(.disconnect) { try loop.run(.once) }
            #expect("\(seen)" == "[readable, disconnect]")
            poll.close()
            try loop.run()
            Platform.close(ends[0])
        }
    }

    /// The descriptor stays open behind its handle, and can be watched by another one.
    @Test func close_leavesTheDescriptorOpen() throws {
        try withSocketPair { near, far in
            try withLoop { loop in
                for _ in 0..<3 {
                    var calls = 0
                    let poll = try UVPoll(on: loop, descriptor: near) { _ in calls += 1 }
                    try poll.start(.writable)
                    #expect(
                        (#expect(throws: UVError.self) { try UVPoll(on: loop, descriptor: near) { _ in } })?.code
                            == .fileExists
                    )
                    try loop.run(.once)
                    poll.close()
                    try loop.run()
                    #expect(calls == 1)
                    #expect(fcntl(near, F_GETFD) >= 0)
                }
                _ = far
            }
        }
    }

    /// libuv would end the process without a word. In a process of its own, where nobody else gets the number.
    @Test func start_withADescriptorThatWasClosed_isAnError() async {
        await #expect(processExitsWith: .success) {
            let loop = try UVEventLoop()
            var ends: [Int32] = [-1, -1]
            precondition(socketpair(AF_UNIX, Platform.streamSocket, 0, &ends) == 0)
            let poll = try UVPoll(on: loop, descriptor: ends[0]) { _ in }
            func code() -> UVError.Code? {
                do throws(UVError) { try poll.start(.readable) } catch { return error.code }
                return nil
            }
            Platform.close(ends[0])
            precondition(code() == .badFileDescriptor)
            let file = open("/etc/passwd", O_RDONLY)
            precondition(dup2(file, ends[0]) == ends[0])
            precondition(code() == .notPermitted)
            poll.close()
            try loop.run()
            try loop.close()
        }
    }

    @Test func whatCannotBeWatched_isAnError() throws {
        try withLoop { loop in
            for descriptor in [Int32(-1), Int32.min, 100_000] {
                let error = #expect(throws: UVError.self) { try UVPoll(on: loop, descriptor: descriptor) { _ in } }
                #expect(error?.code == .badFileDescriptor)
                #expect("\(error!)".contains("descriptor \(descriptor)"))
            }
            let file = open("/etc/passwd", O_RDONLY)
            #expect(throws: UVError.self) { try UVPoll(on: loop, descriptor: file) { _ in } }
            Platform.close(file)
            try #expect(loop.run() == false)
        }
    }
}
