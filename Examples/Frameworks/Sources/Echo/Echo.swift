import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2Posix
import MonitoredUV

/// The methods of the service. Written by hand, to do without protoc: a message is its text.
package enum Echo {
    static let service = ServiceDescriptor(fullyQualifiedService: "echo.Echo")
    package static let say = MethodDescriptor(service: service, method: "Say")
    package static let block = MethodDescriptor(service: service, method: "Block")

    /// Returns a server of 127.0.0.1.
    package static func makeServer(port: Int) -> GRPCServer<HTTP2ServerTransport.Posix> {
        GRPCServer(
            transport: .http2NIOPosix(address: .ipv4(host: "127.0.0.1", port: port), transportSecurity: .plaintext),
            services: [EchoService()],
            interceptors: [CallNames()]
        )
    }
}

/// Answers with what it was sent: at once, or after blocking its thread for a while.
struct EchoService: RegistrableRPCService {
    func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
        register(Echo.say, with: &router) { $0 }
        register(Echo.block, with: &router, answer: blockForAWhile)
    }

    private func register<Transport: ServerTransport>(
        _ method: MethodDescriptor,
        with router: inout RPCRouter<Transport>,
        answer: @escaping @Sendable (String) -> String
    ) {
        router.registerHandler(forMethod: method, deserializer: TextCoder(), serializer: TextCoder()) { request, _ in
            StreamingServerResponse { writer in
                for try await message in request.messages { try await writer.write(answer(message)) }
                return [:]
            }
        }
    }
}

/// Blocks the thread: whatever else would run on it waits.
@inline(never)
private func blockForAWhile(_ message: String) -> String {
    usleep(300_000)
    return message
}

/// Names what a call's task does after its method, such as `echo.Echo/Say`.
struct CallNames: ServerInterceptor {
    func intercept<Input: Sendable, Output: Sendable>(
        request: StreamingServerRequest<Input>,
        context: ServerContext,
        next: @Sendable (StreamingServerRequest<Input>, ServerContext) async throws -> StreamingServerResponse<Output>
    ) async throws -> StreamingServerResponse<Output> {
        UVEventLoop.nameCurrentDispatch(route: context.descriptor.fullyQualifiedMethod)
        defer { UVEventLoop.nameCurrentDispatch(nil) }
        return try await next(request, context)
    }
}

/// A message as its text.
package struct TextCoder: MessageSerializer, MessageDeserializer {
    package init() {}

    package func serialize<Bytes: GRPCContiguousBytes>(_ message: String) throws -> Bytes { Bytes(message.utf8) }

    package func deserialize<Bytes: GRPCContiguousBytes>(_ bytes: Bytes) throws -> String {
        bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) }
    }
}
