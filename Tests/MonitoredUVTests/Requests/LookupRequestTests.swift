import Testing

@testable import MonitoredUV

@Suite struct LookupRequestTests {
    @Test func addresses_comeWithThePort() throws {
        try withLoop { loop in
            var found: [UVSocketAddress] = []
            let recorder = Recorder(on: loop)
            try loop.getaddrinfo("localhost", port: 80) { result in succeed { found = try result.get() } }
            try loop.run()
            #expect(!found.isEmpty)
            #expect(found.allSatisfy { ["127.0.0.1", "::1"].contains($0.host) && $0.port == 80 })
            #expect(recorder.of(.getaddrinfo).count == 1)
            #expect(recorder.states.last?.loopHandlesCount == 0)
        }
    }

    @Test func unknownHost_isAnError() throws {
        try withLoop { loop in
            var codes: [UVError.Code] = []
            try loop.getaddrinfo("no.such.host.invalid", port: 80) { result in
                guard case .failure(let error) = result else { return }
                codes.append(error.code)
            }
            try loop.run()
            #expect(codes.count == 1)
            #expect(codes.allSatisfy { [.nameUnknown, .nameTemporaryFailure, .nameHasNoAddress].contains($0) })
        }
    }

    @Test(arguments: [
        ("", 80), ("localhost", -1), ("localhost", 65_536), ("local\0host", 80),
        (String(repeating: "a", count: 300), 80),
    ])
    func impossibleHostOrPort_isRefusedAtOnce(host: String, port: Int) throws {
        try withLoop { loop in
            let error = #expect(throws: UVError.self) {
                try loop.getaddrinfo(host, port: port) { _ in Issue.record("was called") }
            }
            #expect(error.map { [.invalidArgument, .nameTooLong].contains($0.code) } == true)
        }
    }

    @Test func canceling_callsBackOnce_whetherOrNotTheLookupHasBegun() throws {
        try withLoop { loop in
            var codes: [UVError.Code?] = []
            // More than there are threads: some have begun, others wait.
            let requests = try (0..<16).map { _ in
                try loop.getaddrinfo("localhost", port: 80) { result in
                    if case .failure(let error) = result { codes.append(error.code) } else { codes.append(nil) }
                }
            }
            for request in requests {
                request.cancel()
                request.cancel()
            }
            #expect(codes.isEmpty)
            try loop.run()
            #expect(codes == Array(repeating: .canceled, count: 16))
            requests[0].cancel()
            try loop.run()
            #expect(codes.count == 16)
        }
    }

    @Test func loop_isNotClosed_beforeItsLookupsAreOver() throws {
        try withLoop { loop in
            var calls = 0
            try loop.getaddrinfo("localhost", port: 80) { _ in
                calls += 1
                loop.callSoon { calls += 1 }
            }
            let error = #expect(throws: UVError.self) { try loop.close() }
            #expect(error?.code == .busy)
            #expect(error?.description.contains("holds 1 request;") == true, "\(String(describing: error))")
            #expect(calls == 0)
            try loop.run()
            #expect(calls == 2)
        }
    }

    @Test func taskLookup_endsWithItsCancellation() async throws {
        try await withTasks { loop in
            try await #expect(loop.getaddrinfo("localhost", port: 1).isEmpty == false)
            let tasks = (0..<16).map { _ in
                Task(executorPreference: loop) { try await loop.getaddrinfo("localhost", port: 1) }
            }
            while loop.core.members.requestBalance.created < 17 { await Task.yield() }
            for task in tasks { task.cancel() }
            for task in tasks { await #expect(throws: CancellationError.self) { try await task.value } }
            await #expect(throws: UVError.self) { try await loop.getaddrinfo("", port: 1) }
        }
    }
}
