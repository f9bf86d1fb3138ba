import Dispatch
import MonitoredUV
import NIOCore
import NIOMonitoring
import NIOPosix
import Testing

@Suite struct MonitoringHandlerTests {
    @Test func events_areDispatches_namedAfterTheNextHandler() throws {
        try withWatchedGroup { watched in
            let loop = watched.loop
            try loop.submit {}.wait()
            let monitoring = try #require(watched.monitorings.first)
            let states = Lock<[IOLoopMonitorState]>([])
            monitoring.addMonitor { state in states.withLock { [state = copy state] in $0.append(state) } }
            try echoOnce(on: watched.group) { channel in
                try channel.pipeline.syncOperations.addHandler(MonitoringHandler())
                try channel.pipeline.syncOperations.addHandler(Outbound())
                try channel.pipeline.syncOperations.addHandler(SlowEcho())
            }
            try loop.submit {}.wait()
            let events = states.withLock { $0 }.filter { $0.kind != .iteration }
            let kinds = events.map(\.kind)
            for kind in [CallbackKind.channelActive, .channelRead, .channelReadComplete, .channelInactive] {
                #expect(kinds.contains(kind), "\(kind)")
            }
            for event in events { #expect(event.callbackPrettyName == "SlowEcho.\(event.kind)") }
            let read = try #require(events.first { $0.kind == .channelRead })
            #expect(read.callbackWallTime >= SlowEcho.duration)
            #expect(read.loopLagRange != nil)
            // Nothing counts twice: the rest of the iteration is a dispatch of its own.
            let all = states.withLock { $0 }
            for (one, next) in zip(all, all.dropFirst()) { #expect(one.start + one.callbackWallTime <= next.start) }
        }
    }

    /// Two servers that one function sets up, the second one with a handler that is generic.
    @Test func handlersMadeAtOnePlace_haveNamesOfTheirOwn() throws {
        try withWatchedGroup { watched in
            try watched.loop.submit {}.wait()
            for handler in [SlowEcho.self, GenericEcho<[ByteBuffer]>.self] as [any Echoing.Type] {
                try echoOnce(on: watched.group) { channel in
                    try channel.pipeline.syncOperations.addHandler(MonitoringHandler())
                    try channel.pipeline.syncOperations.addHandler(handler.init())
                }
            }
            try watched.loop.submit {}.wait()
            let names = try #require(watched.monitorings.first).snapshot().names.map(\.callbackName)
            #expect(names.contains("SlowEcho.channelRead"))
            #expect(names.contains("GenericEcho.channelRead"), "\(names)")
        }
    }

    @Test func ownName_isUsed() throws {
        try withWatchedGroup { watched in
            try watched.loop.submit {}.wait()
            try echoOnce(on: watched.group) { channel in
                try channel.pipeline.syncOperations.addHandler(MonitoringHandler(name: "front"))
                try channel.pipeline.syncOperations.addHandler(SlowEcho())
            }
            try watched.loop.submit {}.wait()
            let names = try #require(watched.monitorings.first).snapshot().names.map(\.callbackName)
            #expect(names.contains("front.channelRead"))
        }
    }

    @Test func eventsPass() throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        try echoOnce(on: group) { channel in
            try channel.pipeline.syncOperations.addHandler(MonitoringHandler())
            try channel.pipeline.syncOperations.addHandler(SlowEcho())
        }
        try group.syncShutdownGracefully()
    }

    /// Serves one connection with a pipeline, to which one message goes, and waits for the answer and the end.
    private func echoOnce(
        on group: MultiThreadedEventLoopGroup,
        _ makePipeline: @escaping @Sendable (any Channel) throws -> Void
    ) throws {
        let closed = group.next().makePromise(of: Void.self)
        let server = try ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.closeFuture.cascade(to: closed)
                return channel.eventLoop.makeCompletedFuture { try makePipeline(channel) }
            }
            .bind(host: "127.0.0.1", port: 0).wait()
        let answered = DispatchSemaphore(value: 0)
        let client = try ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(Answer(answered))
                }
            }
            .connect(to: server.localAddress!).wait()
        try client.writeAndFlush(ByteBuffer(string: "hello")).wait()
        answered.wait()
        try client.close().wait()
        try closed.futureResult.wait()
        try server.close().wait()
    }
}

/// Takes no inbound events.
private final class Outbound: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer
}

private protocol Echoing: ChannelInboundHandler, SendableMetatype {
    init()
}

private final class GenericEcho<Element>: Echoing {
    typealias InboundIn = ByteBuffer

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { context.writeAndFlush(data, promise: nil) }
}

private final class SlowEcho: Echoing {
    typealias InboundIn = ByteBuffer
    static let duration = Duration.milliseconds(3)

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        spin(Self.duration)
        context.writeAndFlush(data, promise: nil)
    }
}

private final class Answer: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer
    private let arrived: DispatchSemaphore
    init(_ arrived: DispatchSemaphore) { self.arrived = arrived }
    func channelRead(context: ChannelHandlerContext, data: NIOAny) { arrived.signal() }
}
