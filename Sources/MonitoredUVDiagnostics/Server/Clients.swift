import NIOCore

/// The connections that are open. The server's loop only.
final class Clients {
    private let most: Int
    private var clients: [ObjectIdentifier: Client] = [:]

    init(most: Int) { self.most = most }

    /// Adds a client. If there are too many, the one that has been idle for the longest must go.
    func add(_ channel: any Channel) throws -> Client {
        if clients.count >= most {
            let idle = clients.values.filter { !$0.isBusy }.min { $0.lastActivity < $1.lastActivity }
            guard let idle else { throw TooManyClients() }
            remove(idle.channel)
            idle.channel.close(promise: nil)
        }
        let client = Client(channel)
        clients[ObjectIdentifier(channel)] = client
        channel.closeFuture.assumeIsolated().whenComplete { [self] _ in remove(channel) }
        return client
    }

    private func remove(_ channel: any Channel) { clients[ObjectIdentifier(channel)] = nil }

    func closeAll(on loop: any EventLoop) -> EventLoopFuture<Void> {
        EventLoopFuture.andAllComplete(clients.values.map { $0.channel.close() }, on: loop)
    }

    private struct TooManyClients: Error {}
}

/// How long a client may take for what.
struct ClientTimes: Sendable {
    /// For a request to arrive, from its first byte.
    var arrival = TimeAmount.seconds(10)
    /// Between two requests, and before the first.
    var idle = TimeAmount.seconds(60)
    /// To read an answer.
    var reading = TimeAmount.seconds(30)
}

/// One connection, and what it takes of memory. The server's loop only.
final class Client {
    /// The most bytes of a request line and its headers.
    static let headBytes = 16 << 10
    /// The most bytes of a request's body.
    static let bodyBytes = 64 << 10
    let channel: any Channel
    var lastActivity = NIODeadline.now()
    /// Whether it is being answered.
    var isBusy = false
    /// The bytes that have arrived since the last head was complete.
    var headBytes = 0
    /// Whether a head, rather than a body, is to come.
    var isInHead = true

    init(_ channel: any Channel) { self.channel = channel }

    /// Whether the rest of what it sends is thrown away.
    private(set) var isRefused = false

    /// Answers without the parser's help, and refuses the rest.
    func refuse(_ status: String) {
        let text = "HTTP/1.1 \(status)\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        guard let first = try? channel.pipeline.syncOperations.context(handlerType: HeadLimit.self) else { return }
        first.writeAndFlush(NIOAny(ByteBuffer(string: text)), promise: nil)
        refuseTheRest()
    }

    /// Ends the answers, but not the connection: the system would throw away an answer with what has not been read.
    func refuseTheRest() {
        isRefused = true
        isBusy = false
        channel.close(mode: .output, promise: nil)
        channel.eventLoop.assumeIsolated().scheduleTask(in: .seconds(2)) { [channel] in channel.close(promise: nil) }
    }
}

/// Refuses requests with heads that do not end, and throws away what comes after a refusal.
final class HeadLimit: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let client: Client

    init(_ client: Client) { self.client = client }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if client.isRefused { return }
        client.headBytes += unwrapInboundIn(data).readableBytes
        context.fireChannelRead(data)
        // The parser has told of a complete head by now.
        guard !client.isRefused, client.isInHead, client.headBytes > Client.headBytes else { return }
        client.refuse("431 Request Header Fields Too Large")
    }
}
