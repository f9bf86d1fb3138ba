import CTestPolls
import Dispatch
import Foundation
import MonitoredUV
import NIOCore
import NIOMonitoring
import NIOPosix

/// A program on SwiftNIO. Its first argument says what it does.
@main
struct NIOLoopsProgram {
    static func main() async throws {
        switch CommandLine.arguments.dropFirst().first {
        // Nothing here asks for monitoring; the environment may.
        case "plain": try await blockALoop()
        case "SwiftNIO takes the jobs first":
            print("taken: \(NIOSingletons.unsafeTryInstallSingletonPosixEventLoopGroupAsConcurrencyGlobalExecutor())")
            SwiftExecutors.monitor { _ in nil }
            await runJobs()
        case "SwiftNIO takes the jobs last":
            SwiftExecutors.monitor { _ in nil }
            print("taken: \(NIOSingletons.unsafeTryInstallSingletonPosixEventLoopGroupAsConcurrencyGlobalExecutor())")
            await runJobs()
        case "async channel": try await blockAConsumer()
        case "fork": try forkAndPoll()
        default: fatalError("unknown argument")
        }
    }

    private static func blockALoop() async throws {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        try await loop.submit { blockForAWhile() }.get()
        // The end of the iteration is reported by another thread.
        try await loop.submit {}.get()
    }

    private static func runJobs() async {
        var seen = 0
        for _ in 0..<100 {
            if await Task.detached(operation: {
                await Task.yield(); return isSeen()
            }).value {
                seen += 1
            }
        }
        let inGroup = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<100 { group.addTask { isSeen() } }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        print("seen: \(seen + inGroup)")
    }

    /// A task that reads a `NIOAsyncChannel`, and waits for the report of its stall.
    private static func blockAConsumer() async throws {
        let (began, ended) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let duration = Lock(Duration.zero)
        NIOLoops.monitor()
        SwiftExecutors.monitor { loop in
            loop.startWatchdog(limit: .milliseconds(20)) { report in
                guard report.function == "nioloops.waitUntilReported(_:)" else { return }
                if report.phase == .began {
                    let isOnSwiftsThread = report.loopName.hasPrefix("swift-")
                    print("\(isOnSwiftsThread) \(report.kind) \(report.function ?? "") \(report.cause?.rawValue ?? "")")
                    began.signal()
                } else if report.phase == .ended {
                    duration.withLock { $0 = report.duration }
                    ended.signal()
                }
            }
        }
        let server = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .bind(host: "127.0.0.1", port: 0) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        let sent = ContinuousClock.now
        let client = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connect(to: server.channel.localAddress!).get()
        try await client.writeAndFlush(ByteBuffer(string: "hello"))
        let inside = try await server.executeThenClose { clients in
            for try await client in clients {
                return try await client.executeThenClose { inbound, _ in
                    for try await _ in inbound { return waitUntilReported(began) }
                    return .zero
                }
            }
            return Duration.zero
        }
        await withCheckedContinuation { waiter in
            Thread {
                ended.wait()
                waiter.resume()
            }.start()
        }
        let total = duration.withLock { $0 }
        print("duration: \(total >= inside && total <= sent.duration(to: .now))")
    }

    private static func isSeen() -> Bool { SwiftExecutors.current?.snapshot().running != nil }

    /// In a copy of the process, loops are not watched, and polls are as they were.
    private static func forkAndPoll() throws {
        NIOLoops.monitor()
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        try loop.submit {}.wait()
        print("copy: \(try loop.submit { test_poll_in_copy() }.wait())")
        try loop.submit {}.wait()
        print("loops: \(!NIOLoops.all.isEmpty)")
    }
}

/// Returns how long that was.
@inline(never)
private func waitUntilReported(_ began: DispatchSemaphore) -> Duration {
    let start = ContinuousClock.now
    began.wait()
    return start.duration(to: .now)
}

@inline(never)
private func blockForAWhile() {
    usleep(500_000)
    print("blocked")
}
