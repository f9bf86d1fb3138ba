import CLibUV
import Testing

@testable import MonitoredUV

struct UVErrorTests {
    @Test func error_saysWhatItIsAbout() throws {
        try withLoop { loop in
            let (server, address) = try loop.server { _ in }
            let second = try UVTCP(on: loop)
            try second.bind(to: address)
            let taken = #expect(throws: UVError.self) { try second.listen { _ in } }
            #expect(taken.map { "\($0)" } == "uv_listen: address already in use (EADDRINUSE): \(address)")
            second.close()
            server.close()
            let nobody = try loop.addressWhereNobodyListens()
            let client = try UVTCP(on: loop)
            var errors: [UVError] = []
            try client.connect(to: nobody) { error in
                if let error { errors.append(error) }
                client.close()
            }
            try loop.getaddrinfo("host.invalid", port: 1) { result in
                if case .failure(let error) = result { errors.append(error) }
            }
            try loop.run()
            #expect(Set(errors.compactMap(\.detail)) == ["\(nobody)", "host.invalid"])
        }
    }

    @Test func code_hasLibuvsNameAndText() {
        #expect(UVError.Code.connectionRefused.rawValue == UV_ECONNREFUSED.rawValue)
        #expect(UVError.Code.connectionRefused.name == "ECONNREFUSED")
        #expect(UVError.Code.connectionRefused.message == "connection refused")
    }

    @Test func unknownCode_isNamedWithoutLeaking() {
        let code = UVError.Code(rawValue: -54_321)
        #expect(code.name.contains("-54321"))
        #expect(code.message.contains("-54321"))
    }

    @Test func description_namesOperationTextAndDetail() {
        let error = UVError(.addressInUse, operation: "uv_listen", detail: "port 80")
        #expect("\(error)" == "uv_listen: address already in use (EADDRINUSE): port 80")
    }

    @Test func description_ofThisLibrarysOwnError_isTheDetail() async {
        let error = UVError(.timedOut, operation: "withTimeout", detail: "the operation took longer than 5.0 s")
        #expect("\(error)" == "withTimeout: the operation took longer than 5.0 s (ETIMEDOUT)")
        let timeouts: [Duration] = [.milliseconds(1), .zero, .seconds(-1_000_000_000_000)]
        for (timeout, text) in zip(timeouts, ["1.0 ms", "0 ns", "0 ns"]) {
            let thrown = await #expect(throws: UVError.self) {
                try await UVEventLoop.withTimeout(timeout) { try await Task.sleep(for: .seconds(60)) }
            }
            #expect(thrown.map { "\($0)" } == "withTimeout: the operation took longer than \(text) (ETIMEDOUT)")
        }
    }

    /// Strangers may choose the host.
    @Test func description_hasNoControlCharacters_andALimit() {
        let host = "evil\nwarning: forged \u{1B}[31mline\0" + String(repeating: "ä", count: 1_000_000)
        let text = UVError(.nameUnknown, operation: "uv_getaddrinfo", detail: host).description
        #expect(text.contains("evil_warning: forged _[31mline_ä"))
        #expect(text.utf8.count < 2100)
    }

    @Test func check_throwsNegativeStatusAndReturnsOthers() throws {
        try #expect(UVError.check(7, "uv_x") == 7)
        #expect(throws: UVError(.invalidArgument, operation: "uv_x")) { try UVError.check(UV_EINVAL.rawValue, "uv_x") }
    }

    @Test func catchPattern_matchesCode() {
        do throws(UVError) {
            try UVError.check(UV_EPIPE.rawValue, "uv_write")
            Issue.record("nothing was thrown")
        } catch UVError.Code.brokenPipe {
        } catch { Issue.record(error) }
    }
}
