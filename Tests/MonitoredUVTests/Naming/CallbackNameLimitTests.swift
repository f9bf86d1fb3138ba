import Testing

@testable import MonitoredUV

struct CallbackNameLimitTests {
    /// In a process of its own: the table is the process's.
    @Test func names_areOther_pastTheLimit() async {
        await #expect(processExitsWith: .success) {
            let before = CallbackName("made before the limit")
            for number in 0..<CallbackName.limit { _ = CallbackName("name \(number)") }
            precondition(CallbackName("one too many") == .other)
            precondition(CallbackName("one too many").text == "_OTHER")
            precondition(CallbackName("made before the limit") == before)
        }
    }
}
