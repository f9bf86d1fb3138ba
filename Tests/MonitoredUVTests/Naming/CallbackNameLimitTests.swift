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

    /// A scanner asks for thousands of paths, and handles and tasks are called by counters: call sites, functions and loops
    /// keep their names.
    @Test func namesThatComeFromOutside_useUpNoOthers() async {
        await #expect(processExitsWith: .success) {
            let rest = String(repeating: "x", count: 10_000)
            for number in 0..<70_000 {
                _ = CallbackName(passing: "GET /\(number)/" + rest)
                CallbackName(pinned: "connection \(number)").release()
            }
            let pinned = (0..<PassingNames.capacity).map { CallbackName(pinned: "open \($0)") }
            precondition(CallbackName(pinned: "one too many") == .other)
            precondition(pinned.enumerated().allSatisfy { $0.element.text == "open \($0.offset)" })
            pinned.forEach { $0.release() }
            precondition(CallbackName(pinned: "room again").text == "room again")
            precondition(CallbackName("Server.swift:42 accept(_:)").text == "Server.swift:42 accept(_:)")
            let loop = try UVEventLoop(name: "late")
            precondition(loop.name == "late")
            try loop.close()
        }
    }
}
