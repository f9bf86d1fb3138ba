import Foundation
import Hummingbird
import MonitoredUV
import MonitoredUVMetrics

/// Returns a server of 127.0.0.1.
///
/// - Parameter onServerRunning: Called with the port that it listens on.
package func makeApplication(
    port: Int,
    onServerRunning: @escaping @Sendable (Int) -> Void = { _ in }
) -> some ApplicationProtocol {
    Application(
        router: makeRouter(),
        configuration: .init(address: .hostname("127.0.0.1", port: port), serverName: "MonitoredUV"),
        onServerRunning: { onServerRunning($0.localAddress?.port ?? 0) }
    )
}

/// Returns the routes: one that answers at once, one that waits, one that blocks its thread, items, and the metrics.
func makeRouter() -> Router<BasicRequestContext> {
    let router = Router()
    router.add(middleware: RequestNames())
    router.get("ping") { _, _ in "pong" }
    router.get("wait") { _, _ in try await waitForAWhile() }
    router.get("block") { _, _ in blockForAWhile() }
    router.get("items/:id") { _, context in "item \(try context.parameters.require("id", as: Int.self))" }
    router.get("metrics") { _, _ in
        let text = LoopSnapshot.prometheusText(Monitoring.all.map { $0.snapshot() }, options: .init(names: 20))
        return Response(
            status: .ok,
            headers: [.contentType: "text/plain; version=0.0.4"],
            body: .init(byteBuffer: ByteBuffer(string: text))
        )
    }
    return router
}

/// Suspends the task: its thread goes on with others.
private func waitForAWhile() async throws -> String {
    try await Task.sleep(for: .milliseconds(500))
    return "waited"
}

/// Blocks the thread: whatever else would run on it waits.
@inline(never)
private func blockForAWhile() -> String {
    usleep(300_000)
    return "blocked"
}

/// Names what a request's task does after its route, such as `GET /items/{id}`.
struct RequestNames<Context: RequestContext>: RouterMiddleware {
    func handle(
        _ request: Request,
        context: Context,
        next: (Request, Context) async throws -> Response
    ) async throws -> Response {
        UVEventLoop.nameCurrentDispatch(route: "\(request.method) \(context.endpointPath ?? "not found")")
        defer { UVEventLoop.nameCurrentDispatch(nil) }
        return try await next(request, context)
    }
}
