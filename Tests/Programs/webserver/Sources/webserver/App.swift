import Foundation
import Hummingbird
import MonitoredUV

// A server that is written as Hummingbird's documentation shows.

actor Store {
    var counts: [String: Int] = [:]

    @inline(never) func add(_ key: String) async -> Int {
        counts[key, default: 0] += 1
        await Task.yield()
        return counts[key]!
    }
}

struct Users: Sendable {
    let store: Store

    @inline(never) func get(_ request: Request, _ context: BasicRequestContext) async throws -> String {
        let name = try context.parameters.require("name")
        let count = await store.add(name)
        try await Task.sleep(for: .milliseconds(1))
        return "hello \(name) \(count)"
    }

    /// Keeps everybody waiting.
    @inline(never) func export(_ request: Request, _ context: BasicRequestContext) async throws -> String {
        usleep(400_000)
        return "exported"
    }
}

/// Names dispatches by the route, which the framework's own functions do not tell.
struct NameDispatches: RouterMiddleware {
    func handle(
        _ request: Request,
        context: BasicRequestContext,
        next: (Request, BasicRequestContext) async throws -> Response
    ) async throws -> Response {
        UVEventLoop.nameCurrentDispatch(route: "\(request.method) \(context.endpointPath ?? request.uri.path)")
        defer { UVEventLoop.nameCurrentDispatch(nil) }
        return try await next(request, context)
    }
}

@inline(never) func serve(port: Int, _ isReady: @escaping @Sendable () -> Void) async throws {
    let users = Users(store: Store())
    let router = Router()
    router.get("users/:name", use: users.get)
    router.get("export", use: users.export)
    let named = router.group("named").add(middleware: NameDispatches())
    named.get("users/:name", use: users.get)
    let configuration = ApplicationConfiguration(address: .hostname("127.0.0.1", port: port))
    let app = Application(router: router, configuration: configuration, onServerRunning: { _ in isReady() })
    try await app.run()
}

@inline(never) func get(_ path: String, port: Int) async throws -> String {
    let client = try await UVTCPConnection.connect(host: "127.0.0.1", port: port)
    try await client.write("GET \(path) HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
    var answer = ""
    for try await bytes in client.inbound { answer += String(decoding: bytes, as: UTF8.self) }
    await client.close()
    return answer
}
