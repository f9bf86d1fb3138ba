import CLibUV
import Testing

@testable import MonitoredUV

struct UVErrorTests {
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
