import Dispatch
import Synchronization
import Testing

@testable import MonitoredUV

/// A fresh loop for `body`, closed behind it; then every handle and request that was made must have been freed.
func withLoop(
    sourceLocation: SourceLocation = #_sourceLocation,
    _ body: (UVEventLoop) throws -> Void
) throws {
    let hung = DispatchWorkItem { fatalError("the test at \(sourceLocation) hangs") }
    DispatchQueue.global().asyncAfter(deadline: .now() + 120, execute: hung)
    defer { hung.cancel() }
    let loop = try UVEventLoop()
    do {
        try body(loop)
    } catch {
        Issue.record(error, sourceLocation: sourceLocation)
    }
    do { try loop.close() } catch { Issue.record(error, sourceLocation: sourceLocation) }
    let core = loop.core
    #expect(core.members.handleBalance.open == 0, sourceLocation: sourceLocation)
    #expect(core.members.requestBalance.open == 0, sourceLocation: sourceLocation)
}

/// Repeats until `body` is true, at most `attempts` times: for tests that other processes can spoil.
func withLoop(
    attempts: Int,
    sourceLocation: SourceLocation = #_sourceLocation,
    _ body: (UVEventLoop) throws -> Bool
) throws {
    var isTrue = false
    for _ in 0..<attempts where !isTrue {
        try withLoop(sourceLocation: sourceLocation) { isTrue = try body($0) }
    }
    #expect(isTrue, "true in none of \(attempts) attempts", sourceLocation: sourceLocation)
}

/// Everything a loop reported.
final class Recorder {
    private(set) var states: [IOLoopMonitorState] = []
    private var firstCall: UInt64?
    private var lastCall: UInt64 = 0

    init(on loop: UVEventLoop) {
        states.reserveCapacity(65_536)  // growing would show as monitor time, and delay what is measured
        loop.setMonitor {
            self.lastCall = MonotonicClock.read()
            self.firstCall = self.firstCall ?? self.lastCall
            self.states.append(copy $0)
        }
    }

    /// The time between the first and the last call of the monitor.
    var elapsed: Duration { Duration(nanoseconds: lastCall - (firstCall ?? lastCall)) }

    func named(_ name: String) -> [IOLoopMonitorState] { states.filter { $0.callbackPrettyName == name } }
    func of(_ kind: CallbackKind) -> [IOLoopMonitorState] { states.filter { $0.kind == kind } }
}

/// Uses the processor for `duration`.
func spin(_ duration: Duration) {
    let end = MonotonicClock.read() + duration.nanosecondsClamped
    while MonotonicClock.read() < end {}
}

/// Returns whether a loop's object is released within ten seconds: tests that ask for all loops of the process hold them
/// for a moment.
func isReleased(_ object: () -> AnyObject?) -> Bool {
    for _ in 0..<10_000 {
        if object() == nil { return true }
        spin(.milliseconds(1))
    }
    return false
}

/// Runs `body` on a thread of its own and waits for it.
func onOtherThread(_ body: @escaping @Sendable () -> Void) throws { try LoopThread(name: "other", body).join() }

/// For closures that are `@Sendable` but run on one thread, or one after the other.
final class Box<Value>: @unchecked Sendable {
    var value: Value
    init(_ value: Value) { self.value = value }
}

/// Counts from any thread.
final class Counter: Sendable {
    private let number = Atomic<Int>(0)
    var value: Int { number.load(ordering: .acquiring) }
    func count() { number.wrappingAdd(1, ordering: .acquiringAndReleasing) }
}

/// For callbacks, which cannot throw: records what `body` throws.
func succeed(sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Void) {
    do { try body() } catch { Issue.record(error, sourceLocation: sourceLocation) }
}
