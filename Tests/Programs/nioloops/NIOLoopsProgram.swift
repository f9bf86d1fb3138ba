import CTestPolls
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

@inline(never)
private func blockForAWhile() {
    usleep(500_000)
    print("blocked")
}
