import Dispatch
import MonitoredUV

/// Two echo servers on one loop: one with callbacks, one with a task for each connection.
struct Servers {
    let callbackPort, taskPort, closedPort: Int
    private let loop: UVEventLoop
    private let listener: UVLoopBound<UVTCP>
    private let unused: UVLoopBound<UVTCP>
    private let server: UVTCPServer
    private let serving: Task<Void, any Error>

    init(on loop: UVEventLoop) throws {
        self.loop = loop
        listener = try loop.wait {
            let listener = try UVTCP(on: loop)
            try listener.bind(to: UVSocketAddress("127.0.0.1", port: 0))
            try listener.listen { connection in
                guard let client = try? connection.get() else { return }
                do {
                    try client.startReading { bytes in
                        do { try client.write(bytes) } catch { client.close() }
                    } onEnd: { _ in
                        client.close()
                    }
                } catch {
                    client.close()
                }
            }
            return UVLoopBound(listener, to: loop)
        }
        callbackPort = try loop.wait { [listener] in try listener.value.localAddress().port }
        // Bound, so that nobody else listens there, and neither does this.
        unused = try loop.wait {
            let unused = try UVTCP(on: loop)
            try unused.bind(to: UVSocketAddress("127.0.0.1", port: 0))
            return UVLoopBound(unused, to: loop)
        }
        closedPort = try loop.wait { [unused] in try unused.value.localAddress().port }
        server = try waitForTask(on: loop) { try await UVTCPServer.listen(host: "127.0.0.1", port: 0, on: loop) }
        taskPort = server.localAddress.port
        serving = Task(executorPreference: loop) { [server] in
            // Visitors leave as they like.
            try await server.serve { connection in
                for try await bytes in connection.inbound { try await connection.write(bytes) }
            }
        }
    }

    func stop() {
        _ = try? loop.wait { [listener, unused] in
            listener.value.close()
            unused.value.close()
        }
        _ = try? waitForTask(on: loop) { [server] in await server.close() }
    }
}

extension UVEventLoop {
    /// Runs `body` on the loop, while this thread waits.
    func wait<T: Sendable>(_ body: @escaping @Sendable () throws -> T) throws -> T {
        try waitForTask(on: self) { try body() }
    }
}

/// Runs `body` as a task on the loop, while this thread waits.
func waitForTask<T: Sendable>(
    on loop: UVEventLoop,
    _ body: @escaping @Sendable () async throws -> T
) throws -> T {
    let done = DispatchSemaphore(value: 0)
    // `nonisolated(unsafe)` is sound: one writes before the semaphore is signalled, one reads after that.
    nonisolated(unsafe) var result: Result<T, any Error>?
    Task(executorPreference: loop) {
        do { result = .success(try await body()) } catch { result = .failure(error) }
        done.signal()
    }
    done.wait()
    return try result!.get()
}
