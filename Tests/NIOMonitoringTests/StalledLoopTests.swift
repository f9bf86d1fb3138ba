import Dispatch
import MonitoredUV
import NIOCore
import NIOMonitoring
import NIOPosix
import Synchronization
import Testing

/// Every way in which code of the program holds up a loop of SwiftNIO's: reported while it lasts, with loop, function,
/// and cause, and with its true duration afterward.
@Suite struct StalledLoopTests {
    @Test(arguments: Block.Kind.allCases, [false, true])
    func stall_isReportedWhileItLasts(_ kind: Block.Kind, onCPU: Bool) throws {
        try withWatchedGroup(loops: 2) { watched in
            // On a busy machine, the thread may not have the processor that it wants, not even to begin to wait.
            var causes: [StallCause?] = []
            repeat {
                causes.append(try stall(kind, onCPU, on: watched))
            } while causes.count < 5
                && (causes.last == .wait) == onCPU
            #expect((causes.last == .wait) != onCPU, "\(causes)")
        }
    }

    /// Returns the cause that the report gave while it lasted.
    private func stall(_ kind: Block.Kind, _ onCPU: Bool, on watched: WatchedGroup) throws -> StallCause? {
        let block = Block(onCPU: onCPU)
        watched.reports.clear()
        let start = ContinuousClock.now
        try block.run(as: kind, on: watched)
        // Released whatever comes, for the group to end.
        let began = Result { try watched.report(ofEnd: false) { $0.function == Block.function(onCPU) } }
        block.release()
        let report = try began.get()
        let ended = try watched.report(ofEnd: true) { $0.callbackName == report.callbackName }
        let elapsed = start.duration(to: .now)
        #expect(report.loopName == block.loopName)
        #expect(ended.loopName == block.loopName)
        #expect(report.callbackName == report.function)
        #expect(report.kind == .iteration)
        #expect(ended.duration >= block.duration && ended.duration <= elapsed)
        return report.cause
    }
}

/// Code that blocks its thread until it is released.
final class Block: Sendable {
    enum Kind: CaseIterable { case channelRead, task, future, timer }

    private let onCPU: Bool
    private let isReleased = Atomic<Bool>(false)
    private let released = DispatchSemaphore(value: 0)
    private let ended = DispatchSemaphore(value: 0)
    private let result = Lock<(loop: String, duration: Duration)>(("", .zero))

    init(onCPU: Bool) { self.onCPU = onCPU }

    var loopName: String { result.withLock { $0.loop } }
    var duration: Duration { result.withLock { $0.duration } }

    static func function(_ onCPU: Bool) -> String {
        "NIOMonitoringTests.\(onCPU ? "computeUntilReleased(_:)" : "waitUntilReleased(_:)")"
    }

    func release() {
        isReleased.store(true, ordering: .relaxed)
        released.signal()
        ended.wait()
    }

    func block() {
        let start = ContinuousClock.now
        if onCPU { computeUntilReleased(isReleased) } else { waitUntilReleased(released) }
        result.withLock { $0 = (NIOLoops.current?.loopName ?? "", start.duration(to: .now)) }
        ended.signal()
    }

    func run(as kind: Kind, on watched: WatchedGroup) throws {
        switch kind {
        case .channelRead:
            let server = try ServerBootstrap(group: watched.group)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(BlockingHandler(self))
                    }
                }
                .bind(host: "127.0.0.1", port: 0).wait()
            let client = try ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .connect(to: server.localAddress!).wait()
            try client.writeAndFlush(ByteBuffer(string: "hello")).wait()
        case .task: watched.loop.execute { self.block() }
        case .future:
            let promise = watched.loop.makePromise(of: Void.self)
            promise.futureResult.whenSuccess { self.block() }
            promise.succeed(())
        case .timer: watched.loop.scheduleTask(in: .milliseconds(1)) { self.block() }
        }
    }
}

private final class BlockingHandler: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer
    private let block: Block
    init(_ block: Block) { self.block = block }
    func channelRead(context: ChannelHandlerContext, data: NIOAny) { block.block() }
}

@inline(never)
private func computeUntilReleased(_ isReleased: borrowing Atomic<Bool>) {
    while !isReleased.load(ordering: .relaxed) {}
}

@inline(never)
private func waitUntilReleased(_ released: DispatchSemaphore) {
    released.wait()
    withExtendedLifetime(released) {}
}
