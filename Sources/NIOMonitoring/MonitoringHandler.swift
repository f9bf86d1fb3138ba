import MonitoredUV
public import NIOCore

/// A handler that makes each inbound event of a channel a dispatch of its own, on a loop that ``NIOLoops`` watches.
/// Without it, the events are parts of the loop's iteration.
///
/// Add it in front of the handlers that are to be measured, so that the time of an event is that of all handlers behind it:
/// as the first one of a pipeline, or behind codecs, for dispatches to be named after a handler of your own.
///
/// ```swift
/// try channel.pipeline.syncOperations.addHandler(MonitoringHandler())
/// try channel.pipeline.syncOperations.addHandler(EchoHandler())
/// ```
///
/// The dispatch's kind is the event, such as `CallbackKind.channelRead`. Its name is the type of the next
/// handler and the event, `EchoHandler.channelRead`, and its lag is the range that the poll allows. An event that comes
/// within another, such as the `channelInactive` of a channel that is closed in its `channelRead`, is a part of that one. On
/// loops that are not watched, the handler only passes events on.
public final class MonitoringHandler: ChannelInboundHandler, RemovableChannelHandler {
    /// Anything: the handler passes on what it receives.
    public typealias InboundIn = NIOAny

    private let prefix: String?
    /// The names by event, once there was one.
    private var names: [CallbackName]?

    /// Creates a handler whose dispatches are named after the next handler that takes inbound events, as it is at the first
    /// event.
    public init() { prefix = nil }

    /// Creates a handler whose dispatches have this name, followed by the event.
    public init(name: String) { prefix = name }

    private func dispatch(_ event: ChannelEvent, _ context: ChannelHandlerContext, _ body: () -> Void) {
        guard let recorder = IterationRecorder.ofLoop else { return body() }
        recorder.dispatch(event.kind, name(of: event, context), of: self, body)
    }

    private func name(of event: ChannelEvent, _ context: ChannelHandlerContext) -> CallbackName {
        let names = names ?? EventNames.beginning(with: prefix ?? EventNames.handler(behind: context) ?? "channel")
        self.names = names
        return names[event.rawValue]
    }

    /// Passes the event on, as a dispatch.
    public func channelRegistered(context: ChannelHandlerContext) {
        dispatch(.registered, context) { context.fireChannelRegistered() }
    }

    /// Passes the event on, as a dispatch.
    public func channelUnregistered(context: ChannelHandlerContext) {
        dispatch(.unregistered, context) { context.fireChannelUnregistered() }
    }

    /// Passes the event on, as a dispatch.
    public func channelActive(context: ChannelHandlerContext) {
        dispatch(.active, context) { context.fireChannelActive() }
    }

    /// Passes the event on, as a dispatch.
    public func channelInactive(context: ChannelHandlerContext) {
        dispatch(.inactive, context) { context.fireChannelInactive() }
    }

    /// Passes the event on, as a dispatch.
    public func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        dispatch(.read, context) { context.fireChannelRead(data) }
    }

    /// Passes the event on, as a dispatch.
    public func channelReadComplete(context: ChannelHandlerContext) {
        dispatch(.readComplete, context) { context.fireChannelReadComplete() }
    }

    /// Passes the event on, as a dispatch.
    public func channelWritabilityChanged(context: ChannelHandlerContext) {
        dispatch(.writabilityChanged, context) { context.fireChannelWritabilityChanged() }
    }

    /// Passes the event on, as a dispatch.
    public func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        dispatch(.userEvent, context) { context.fireUserInboundEventTriggered(event) }
    }

    /// Passes the error on, as a dispatch.
    public func errorCaught(context: ChannelHandlerContext, error: any Error) {
        dispatch(.error, context) { context.fireErrorCaught(error) }
    }
}

@available(*, unavailable)
extension MonitoringHandler: Sendable {}
