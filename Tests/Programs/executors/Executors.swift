import Dispatch
import Foundation
import MonitoredUV

/// Runs code in every way that a task can run, with Swift's own executors monitored, and prints for each what was seen.
@main
struct Executors {
    static func main() async throws {
        switch CommandLine.arguments.dropFirst().first {
        case "stock":
            await Coverage.run()
        case "off":
            SwiftExecutors.monitor { _ in nil }.cancel()
            await Coverage.run()
        case "idle":
            await waitForThreadsToEnd()
        case "stalls":
            await Stalls.run()
        default:
            SwiftExecutors.monitor { _ in nil }
            await Coverage.run()
        }
    }
}

/// Lets Dispatch end the threads that have run jobs, which it does after some seconds.
private func waitForThreadsToEnd() async {
    SwiftExecutors.monitor { loop in
        loop.startWatchdog(limit: .seconds(3)) { report in print("stall: \(report)") }
    }
    for _ in 0..<2 {
        await withTaskGroup { group in
            for _ in 0..<64 { group.addTask { usleep(100) } }
        }
        try? await Task.sleep(for: .seconds(7))
    }
    let loops = SwiftExecutors.all.map { $0.snapshot() }
    print("jobs: \(loops.reduce(0) { $0 + $1.dispatches } >= 128)")
    print("threads: \(loops.count <= ProcessInfo.processInfo.activeProcessorCount + 2)")
}

/// The ways in which code comes to run as a part of a task.
private enum Coverage {
    static func run() async {
        seen("Task", await Task { isSeen() }.value)
        seen("detached", await Task.detached { isSeen() }.value)
        seen("nonisolated, from MainActor", await Task { @MainActor in await nonisolatedSeen() }.value)
        seen(
            "after yield",
            await Task.detached {
                await Task.yield(); return isSeen()
            }.value
        )
        seen(
            "after sleep for",
            await Task.detached {
                try? await Task.sleep(for: .milliseconds(2)); return isSeen()
            }.value
        )
        seen(
            "after sleep until",
            await Task.detached {
                try? await Task.sleep(until: .now + .milliseconds(2), clock: .suspending)
                return isSeen()
            }.value
        )
        seen(
            "after sleep nanoseconds",
            await Task.detached {
                try? await Task.sleep(nanoseconds: 2_000_000)
                return isSeen()
            }.value
        )
        seen(
            "async let",
            await Task.detached {
                async let result = isSeen(); return await result
            }.value
        )
        seen(
            "group",
            await withTaskGroup(of: Bool.self) { group in
                for _ in 0..<8 { group.addTask { isSeen() } }
                return await group.reduce(true) { $0 && $1 }
            }
        )
        seen("actor", await Task.detached { await Counter().isSeenNow() }.value)
        seen(
            "contended actor",
            await Task.detached {
                let counter = Counter()
                return await withTaskGroup(of: Bool.self) { group in
                    for _ in 0..<64 { group.addTask { await counter.isSeenLater() } }
                    return await group.reduce(true) { $0 && $1 }
                }
            }.value
        )
        seen("Task of an actor", await Counter().start().value)
        seen("MainActor", await Task.detached { await MainActor.run { isSeen() } }.value)
        seen(
            "globalConcurrentExecutor",
            await withTaskExecutorPreference(globalConcurrentExecutor) {
                await Task.yield()
                return isSeen()
            }
        )
        seen(
            "continuation from a queue",
            await Task.detached {
                await withCheckedContinuation { (waiter: CheckedContinuation<Void, Never>) in
                    DispatchQueue.global().async { waiter.resume() }
                }
                return isSeen()
            }.value
        )
        seen(
            "AsyncStream from a thread",
            await Task.detached {
                let (stream, feed) = AsyncStream.makeStream(of: Int.self)
                DispatchQueue.global().async {
                    feed.yield(1); feed.finish()
                }
                for await _ in stream {}
                return isSeen()
            }.value
        )
        for priority in [TaskPriority.high, .medium, .utility, .background] {
            let (isThere, isKept) = await Task.detached(priority: priority) {
                (isSeen(), Task.currentPriority == priority)
            }.value
            seen("priority \(priority.rawValue)", isThere)
            seen("kept priority \(priority.rawValue)", isKept)
        }
        seen("MainActor after sleep", await mainActorAfterSleep())
        seen("main thread", await MainActor.run { Thread.isMainThread })
        seen(
            "main queue",
            await withCheckedContinuation { (waiter: CheckedContinuation<Bool, Never>) in
                DispatchQueue.main.async {
                    MainActor.assumeIsolated {}
                    waiter.resume(returning: Thread.isMainThread)
                }
            }
        )
        await width()
        await report()
    }

    private static func seen(_ way: String, _ result: Bool) { print("\(way): \(result)") }

    /// Jobs that block take as many threads as without monitoring, and no more.
    private static func width() async {
        await withTaskGroup { group in
            for _ in 0..<16 {
                group.addTask {
                    running.withLock { running in
                        running.now += 1
                        running.most = max(running.most, running.now)
                    }
                    usleep(2000)
                    running.withLock { $0.now -= 1 }
                }
            }
        }
        print("width: \(running.withLock { $0.most } <= ProcessInfo.processInfo.activeProcessorCount)")
    }

    private static let running = Lock((now: 0, most: 0))

    private static func report() async {
        let loops = SwiftExecutors.all
        print("loops: \(loops.map(\.loopName).joined(separator: " "))")
        func sum() -> LoopSnapshot? {
            loops.map { $0.snapshot() }.reduce(nil) { sum, next in sum.map { $0 + next } ?? next }
        }
        // A thread may be about to record the last job that it ran.
        while sum()?.lag(.job).count != sum()?.dispatches { usleep(1000) }
        guard let sum = sum() else { return }
        print("dispatches: \(sum.dispatches)")
        print("jobs: \(sum.wallTime(.job).count == sum.dispatches)")
        print("lags: \(sum.lag(.job).count)")
        print(
            "names: \(sum.names.map(\.callbackName).filter { $0.contains("Counter") }.sorted().joined(separator: ", "))"
        )
    }
}

/// A job that computes, and one on MainActor that waits, each until it was reported.
private enum Stalls {
    static func run() async {
        let isReported = DispatchSemaphore(value: 0)
        SwiftExecutors.monitor { loop in
            loop.startWatchdog(limit: .milliseconds(20)) { report in
                guard report.phase == .began else { return }
                print("\(report.loopName): \(report.callbackName), \(report.function ?? "?"), \(report.cause == .wait)")
                isReported.signal()
            }
        }
        await Task.detached { waitUntilReported(isReported) }.value
        await Task { @MainActor in waitUntilReported(isReported) }.value
        await Task(name: "named") { waitUntilReported(isReported) }.value
    }
}

@inline(never)
private func waitUntilReported(_ isReported: DispatchSemaphore) {
    isReported.wait()
    withExtendedLifetime(isReported) {}
}

@inline(never)
private func isSeen() -> Bool { SwiftExecutors.current?.snapshot().running != nil }

private func nonisolatedSeen() async -> Bool { isSeen() }

@MainActor private func mainActorAfterSleep() async -> Bool {
    MainActor.preconditionIsolated()
    try? await Task.sleep(for: .milliseconds(1))
    MainActor.assertIsolated()
    return isSeen()
}

private actor Counter {
    func isSeenNow() -> Bool { isSeen() }
    func isSeenLater() async -> Bool {
        await Task.yield()
        return isSeen()
    }
    func start() -> Task<Bool, Never> { Task { isSeen() } }
}
