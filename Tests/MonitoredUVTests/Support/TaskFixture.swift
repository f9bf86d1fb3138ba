import Dispatch
import Testing

@testable import MonitoredUV

/// A fresh loop on a thread of its own that runs `body` as a task; then every handle, request, job and sleep that was
/// made must be gone. Returns what the loop reported, if it is to be monitored.
@discardableResult
func withTasks(
    monitored: Bool = false,
    sourceLocation: SourceLocation = #_sourceLocation,
    _ body: @escaping @Sendable (UVEventLoop) async throws -> Void
) async throws -> [IOLoopMonitorState] {
    let hung = DispatchWorkItem { fatalError("the test at \(sourceLocation) hangs") }
    DispatchQueue.global().asyncAfter(deadline: .now() + 180, execute: hung)
    defer { hung.cancel() }
    let states = Box<[IOLoopMonitorState]>([])
    try await waitForThread {
        succeed(sourceLocation: sourceLocation) {
            if monitored { Symbols.load() }
            let loop = try UVEventLoop()
            let recorder = monitored ? Recorder(on: loop) : nil
            succeed(sourceLocation: sourceLocation) {
                try loop.run(until: { try await body(loop) }) { Task(executorPreference: loop, operation: $0) }
            }
            loop.closeDown()
            let core = loop.core
            #expect(core.members.handleBalance.open == 0, sourceLocation: sourceLocation)
            #expect(core.members.requestBalance.open == 0, sourceLocation: sourceLocation)
            #expect(core.waitingCount == 0, sourceLocation: sourceLocation)
            states.value = recorder?.states ?? []
        }
    }
    return states.value
}

/// Whether this code runs on `loop`.
func isOn(_ loop: UVEventLoop) -> Bool { UVEventLoop.current === loop }

/// Runs `body` on a thread of its own and waits for it without keeping a thread of Swift's from its work.
func waitForThread(_ body: @escaping @Sendable () -> Void) async throws {
    let thread = Box<LoopThread?>(nil)
    try await withCheckedThrowingContinuation { continuation in
        do {
            thread.value = try LoopThread(name: "tasks") {
                body()
                continuation.resume()
            }
        } catch {
            continuation.resume(throwing: error)
        }
    }
    thread.value?.join()
}
