import Dispatch
import MonitoredUV

private actor Elsewhere {
    nonisolated let loop: UVEventLoop
    nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }
    init(_ loop: UVEventLoop) { self.loop = loop }
    private var count = 0
    func add() { count &+= 1 }
}

/// Every hop is an enqueue from another thread, and so is every way back.
func hopBetweenLoops(_ count: Int) throws {
    let group = try UVEventLoopGroup(count: 2)
    let elsewhere = Elsewhere(group.loops[1])
    let done = DispatchSemaphore(value: 0)
    Task(executorPreference: group.loops[0]) {
        for _ in 0..<count { await elsewhere.add() }
        done.signal()
    }
    done.wait()
    group.shutdown()
}
