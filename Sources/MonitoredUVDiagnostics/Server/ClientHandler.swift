import Foundation
import NIOCore
import NIOHTTP1

/// Takes the requests of a client, within limits, and writes the answers.
final class ClientHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let client: Client
    private let access: Access
    private let routes: Routes
    private let times: ClientTimes
    private var head: HTTPRequestHead?
    private var bodyBytes = 0
    /// Until when the client may be idle, take to send its request, or take to read the answer.
    private var deadline: Scheduled<Void>?
    private var hasBegun = false

    init(_ client: Client, _ access: Access, _ routes: Routes, _ times: ClientTimes) {
        self.client = client
        self.times = times
        self.access = access
        self.routes = routes
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            self.head = head
            bodyBytes = 0
            client.isInHead = false
        case .body(let part):
            guard let head else { return }
            bodyBytes += part.readableBytes
            if bodyBytes > Client.bodyBytes {
                self.head = nil
                let answer = HTTPAnswer.error(.payloadTooLarge, "a body may have \(Client.bodyBytes) bytes")
                write(answer, to: head, context, isLast: true)
                client.refuseTheRest()
            }
        case .end:
            client.isInHead = true
            client.headBytes = 0
            guard let head = head.take() else { return }
            write(answer(to: head), to: head, context, isLast: !head.isKeepAlive)
        }
    }

    private func answer(to head: HTTPRequestHead) -> HTTPAnswer {
        guard let url = URLComponents(string: head.uri), url.host == nil, url.path.hasPrefix("/") else {
            return .error(.badRequest, "the path of the request cannot be understood")
        }
        if let refusal = access.refusal(of: head) { return refusal }
        return routes.answer(to: Request(head, path: url.path, query: url.queryItems ?? []))
    }

    private func write(_ answer: HTTPAnswer, to head: HTTPRequestHead, _ context: ChannelHandlerContext, isLast: Bool) {
        var headers = answer.headers
        headers.replaceOrAdd(name: "connection", value: isLast ? "close" : "keep-alive")
        let responseHead = HTTPResponseHead(version: .http1_1, status: answer.status, headers: headers)
        context.write(wrapOutboundOut(.head(responseHead)), promise: nil)
        if head.method != .HEAD { context.write(wrapOutboundOut(.body(.byteBuffer(answer.body))), promise: nil) }
        client.isBusy = true
        let deadline = context.eventLoop.assumeIsolated().scheduleTask(in: times.reading) {
            context.close(promise: nil)
        }
        self.deadline?.cancel()
        context.writeAndFlush(wrapOutboundOut(.end(nil))).assumeIsolated().whenComplete { [self] _ in
            deadline.cancel()
            client.isBusy = false
            client.lastActivity = .now()
            hasBegun = false
            if client.isRefused { return }
            if isLast {
                context.close(promise: nil)
            } else {
                setDeadline(context, times.idle) { context.close(promise: nil) }
            }
        }
    }

    // MARK: Time

    func channelActive(context: ChannelHandlerContext) {
        setDeadline(context, times.idle) { context.close(promise: nil) }
        context.fireChannelActive()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if !hasBegun, !client.isBusy, !client.isRefused, client.headBytes > 0 || head != nil {
            hasBegun = true
            setDeadline(context, times.arrival) { [client] in client.refuse("408 Request Timeout") }
        }
        context.fireChannelReadComplete()
    }

    private func setDeadline(_ context: ChannelHandlerContext, _ time: TimeAmount, _ body: @escaping () -> Void) {
        deadline?.cancel()
        deadline = context.eventLoop.assumeIsolated().scheduleTask(in: time, body)
    }

    func channelInactive(context: ChannelHandlerContext) {
        deadline?.cancel()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard let error = error as? HTTPParserError else { return context.close(promise: nil) }
        if client.isRefused { return }
        client.refuse(error == .headerOverflow ? "431 Request Header Fields Too Large" : "400 Bad Request")
    }
}
