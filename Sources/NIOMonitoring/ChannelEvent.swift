public import MonitoredUV
import NIOCore

extension CallbackKind {
    /// A channel of SwiftNIO's was registered with its loop.
    public static let channelRegistered = CallbackKind(rawValue: "channelRegistered")
    /// A channel of SwiftNIO's left its loop.
    public static let channelUnregistered = CallbackKind(rawValue: "channelUnregistered")
    /// A channel of SwiftNIO's was connected or bound.
    public static let channelActive = CallbackKind(rawValue: "channelActive")
    /// A channel of SwiftNIO's was closed.
    public static let channelInactive = CallbackKind(rawValue: "channelInactive")
    /// A channel of SwiftNIO's received bytes, or a connection.
    public static let channelRead = CallbackKind(rawValue: "channelRead")
    /// A channel of SwiftNIO's has read what there was.
    public static let channelReadComplete = CallbackKind(rawValue: "channelReadComplete")
    /// A channel of SwiftNIO's may be written to again, or no more.
    public static let channelWritabilityChanged = CallbackKind(rawValue: "channelWritabilityChanged")
    /// A handler of a channel of SwiftNIO's sent an event of its own.
    public static let userInboundEventTriggered = CallbackKind(rawValue: "userInboundEventTriggered")
    /// A channel of SwiftNIO's had an error.
    public static let errorCaught = CallbackKind(rawValue: "errorCaught")
}

/// An inbound event of a channel.
enum ChannelEvent: Int, CaseIterable {
    case registered, unregistered, active, inactive, read, readComplete, writabilityChanged, userEvent, error

    var kind: CallbackKind { Self.kinds[rawValue] }

    private static let kinds: [CallbackKind] = [
        .channelRegistered, .channelUnregistered, .channelActive, .channelInactive, .channelRead, .channelReadComplete,
        .channelWritabilityChanged, .userInboundEventTriggered, .errorCaught,
    ]
}

/// The names of the events of a handler.
enum EventNames {
    private static let all = Lock<[String: [CallbackName]]>([:])

    /// Returns the names, by event, that begin with `prefix`.
    static func beginning(with prefix: String) -> [CallbackName] {
        if let known = all.withLock({ $0[prefix] }) { return known }
        let names = ChannelEvent.allCases.map { CallbackName("\(prefix).\($0.kind.rawValue)") }
        all.withLock { $0[prefix] = names }
        return names
    }

    /// Returns the type of the inbound handler behind `context`. Only the pipeline's description tells, in lines such as
    /// `EchoHandler ↓↑ [handler1]`; the name of a handler comes last.
    static func handler(behind context: ChannelHandlerContext) -> String? {
        let lines = context.pipeline.debugDescription.split(separator: "\n").drop { !$0.hasSuffix("[\(context.name)]") }
        for line in lines.dropFirst() {
            guard let end = line.firstIndex(of: "↓") else { continue }
            // Generic arguments can be longer than a line.
            let type = line[..<end].prefix { $0 != "<" }.split(separator: " ").joined(separator: " ")
            if !type.isEmpty { return type }
        }
        return nil
    }
}
