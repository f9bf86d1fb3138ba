import Dispatch
import Foundation
import MonitoredUV

/// Runs each form of asynchronous code and prints on which loop it was, as `form: loop`; `-` stands for none. For the
/// tests of ``UVEventLoop/run(name:monitor:body:)`` on the main thread and of
/// ``UVEventLoop/runMain(monitor:workers:body:)``, which take a process of their own.
@main
struct WhereItRan {
    static func main() throws {
        let arguments = CommandLine.arguments
        switch arguments[1] {
        case "run": try UVEventLoop.run(name: "run") { try await report() }
        case "runMain": try UVEventLoop.runMain(workers: Int(arguments[2])!) { try await report() }
        case "dispatches":
            let jobs = Tally()
            try UVEventLoop.runMain(monitor: { jobs.count($0) }, workers: Int(arguments[2])!) { try await report() }
            jobs.print()
        case "twice":
            let first = try UVEventLoop.runMain { await Task.detached { 40 }.value }
            let second = try UVEventLoop.runMain { @MainActor in 2 }
            print("sum: \(first + second)")
            do { try UVEventLoop.runMain(workers: 1) {} } catch { print("third: \(error)") }
            let main = try UVEventLoop.runMain { UVEventLoop.current! }
            do { try main.close() } catch { print("close: \(error)") }
        case "throws":
            do { try UVEventLoop.runMain { throw CancellationError() } } catch { print("thrown: \(error)") }
        case "negative":
            do { try UVEventLoop.runMain(workers: -1) {} } catch { print("thrown: \(error)") }
        case "inside":
            // As in an async main: a task asks for the whole process.
            Task { @MainActor in blockingRunMain() }
            dispatchMain()
        case "late":
            let early = Task.detached { here() }
            try UVEventLoop.runMain {
                print("early: \(await early.value)")
                try await report()
            }
        case "mainQueue":
            // The main loop has no job of its own.
            try UVEventLoop.runMain(workers: 1) {
                print("queue: \(await onMainQueue())")
            }
        case "plainLoop":
            let loop = try UVEventLoop(name: "plain")
            let timer = loop.callLater(.seconds(3600)) {}
            let bound = UVLoopBound(timer, to: loop)
            Task.detached {
                print("queue: \(await onMainQueue()), MainActor: \(await MainActor.run { here() })")
                loop.execute { bound.value.cancel() }
            }
            try loop.run()
        case "runAfter":
            try UVEventLoop.runMain {}
            try UVEventLoop.run {}
        case "nested":
            let loop = try UVEventLoop(name: "outer")
            loop.callSoon { blockingRun() }
            try loop.run()
        case "mainQueueBlock":
            DispatchQueue.main.async { blockingRun() }
            dispatchMain()
        case "leftBehind":
            try UVEventLoop.run {
                let loop = UVEventLoop.current!
                Task(executorPreference: loop) { while true { await Task.yield() } }
                Task(executorPreference: loop) { while true { try? await loop.sleep(for: .seconds(1)) } }
                await Task.yield()
            }
            print("ended: yes")
            fflush(nil)
            _exit(0)  // what does not end cannot be freed
        case "fairPool": try UVEventLoop.runMain(workers: 1) { await yieldBesideThePool() }
        case "sleepers": try UVEventLoop.runMain(workers: 2) { await sleepBesideABusyWorker() }
        case "stuckWorker": try UVEventLoop.runMain(workers: 2) { await stickAWorker() }
        default: fatalError("unknown mode \(arguments[1])")
        }
    }

    static func blockingRun() { try! UVEventLoop.run {} }
    static func blockingRunMain() { try! UVEventLoop.runMain {} }
}

private func here() -> String { UVEventLoop.current?.name ?? "-" }

private actor Plain { func here() -> String { UVEventLoop.current?.name ?? "-" } }

@MainActor private final class Screen {
    var count = 0
    func update() async -> String {
        count += 1
        await Task.yield()
        return here()
    }
}

private func nonisolatedHere() async -> String { here() }

private func onMainQueue() async -> String {
    await withCheckedContinuation { continuation in
        DispatchQueue.main.async { continuation.resume(returning: here()) }
    }
}

private func report() async throws {
    print("body: \(here())")
    print("nonisolated: \(await nonisolatedHere())")
    print("actor: \(await Plain().here())")
    async let child = here()
    print("async let: \(await child)")
    let group = await withTaskGroup(of: String.self) { group in
        for _ in 0..<10 { group.addTask { here() } }
        return await group.reduce(into: Set<String>()) { $0.insert($1) }
    }
    print("group: \(group.sorted().joined(separator: ","))")
    print("Task: \(await Task { here() }.value)")
    print("detached: \(await Task.detached { here() }.value)")
    print("MainActor.run: \(await MainActor.run { here() })")
    print("MainActor class: \(await Screen().update())")
    let (stream, continuation) = AsyncStream<Int>.makeStream()
    Thread.detachNewThread {
        continuation.yield(1)
        continuation.finish()
    }
    for await _ in stream { print("AsyncStream: \(here())") }
    try await Task.sleep(for: .milliseconds(1))
    print("sleep for: \(here())")
    try await Task.sleep(nanoseconds: 1_000_000)
    print("sleep nanoseconds: \(here())")
    try await Task.sleep(until: .now + .milliseconds(1), clock: .suspending)
    print("sleep until: \(here())")
    let detached = Task.detached {
        try? await Task.sleep(for: .milliseconds(1))
        return here()
    }
    print("detached sleep: \(await detached.value)")
    let sleeping = Task.detached { try await Task.sleep(for: .seconds(3600)) }
    try await Task.sleep(for: .milliseconds(1))
    sleeping.cancel()
    print("cancelled sleep: \(await sleeping.result.isFailure)")
    print("DispatchQueue.main: \(await onMainQueue())")
    print("assumeIsolated: \(await MainActor.run { MainActor.assumeIsolated { here() } })")
    let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count) ?? 0
    print("threads: \(threads)")
}

extension Result {
    fileprivate var isFailure: Bool { if case .failure = self { true } else { false } }
}

/// One worker computes until all others' work is done, which therefore must not be queued behind it.
private func stickAWorker() async {
    let done = Tally()
    let stuck = Task.detached { while done.total < 100 { usleep(1000) } }
    await withDiscardingTaskGroup { group in
        for _ in 0..<100 { group.addTask { done.add(here()) } }
    }
    await stuck.value
    print("done: \(done.total)")
}

/// A task that prefers the only worker yields until one of the pool has run.
private func yieldBesideThePool() async {
    let done = Tally()
    let yielding = Task(executorPreference: UVEventLoop.current!) { while done.total == 0 { await Task.yield() } }
    await Task.detached { done.add(here()) }.value
    await yielding.value
    print("done: \(done.total)")
}

/// Sleepers wake while one of the workers computes until all of them have.
private func sleepBesideABusyWorker() async {
    let done = Tally()
    await withDiscardingTaskGroup { group in
        for _ in 0..<8 {
            group.addTask {
                try? await Task.sleep(for: .milliseconds(20))
                done.add(here())
            }
        }
        group.addTask { while done.total < 8 { usleep(1000) } }
    }
    print("done: \(done.total)")
}

/// Counts by name from any thread.
private final class Tally: @unchecked Sendable {
    private let lock = NSLock()
    private var counts: [String: Int] = [:]

    func add(_ name: String) { lock.withLock { counts[name, default: 0] += 1 } }
    func count(_ state: borrowing IOLoopMonitorState) { if state.kind == .job { add(state.loopName) } }
    var total: Int { lock.withLock { counts.values.reduce(0, +) } }
    func print() {
        for (name, count) in lock.withLock({ counts }).sorted(by: { $0.key < $1.key }) {
            Swift.print("jobs on \(name): \(count)")
        }
    }
}
