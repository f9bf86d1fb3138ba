public import MonitoredUV
public import ServiceLifecycle

/// A server of what the loops of this process do: metrics, snapshots, stalls, and the stacks of loops at this moment.
///
/// ```swift
/// let diagnostics = try UVDiagnostics.serve()  // http://127.0.0.1:9464
/// ```
///
/// It has a thread and a loop of its own, and takes no lock that another loop can hold, so that it answers while all
/// loops of the process, Swift's executors, and the main thread are stuck. While it serves, all loops are monitored at
/// level `metrics` or above.
///
/// Anyone who can connect may read, which includes other users of this machine if it listens on a port. A request that changes
/// something needs ``UVDiagnosticsOptions/token``, and so does every request if the server listens on another address than a loopback
/// one. On a Unix domain socket, the process's own user needs none, and others are refused.
public final class UVDiagnostics: Sendable {
    /// Options of a server.
    public typealias Options = UVDiagnosticsOptions

    private let server: DiagnosticsServer

    init(_ server: DiagnosticsServer) { self.server = server }

    /// Serves on a port of an address of this machine.
    ///
    /// - Parameters:
    ///   - host: An IP address, or `localhost`.
    ///   - port: The port; 0 for any that is free, which ``port`` then tells.
    ///   - options: The server's options.
    /// - Returns: The server, which serves until it is closed, whether or not anything refers to it.
    /// - Throws: `UVError` if the address cannot be listened on, or is not a loopback address and there is no token.
    @discardableResult
    public static func serve(
        host: String = "127.0.0.1",
        port: Int = 9464,
        options: Options = Options()
    ) throws(UVError) -> UVDiagnostics {
        UVDiagnostics(try DiagnosticsServer.start(.port(host: host, port), options))
    }

    /// Serves on a Unix domain socket, to the user of this process only.
    ///
    /// - Parameters:
    ///   - socketPattern: The path of the socket, in which `{PID}` stands for the number of this process. A socket that nobody
    ///     listens on is replaced; any other file is an error.
    ///   - options: The server's options.
    /// - Returns: The server, which serves until it is closed, whether or not anything refers to it.
    /// - Throws: `UVError` if the socket cannot be listened on.
    @discardableResult
    public static func serve(
        socketPattern: String,
        options: Options = Options()
    ) throws(UVError) -> UVDiagnostics {
        UVDiagnostics(try DiagnosticsServer.start(.socket(pattern: socketPattern), options))
    }

    /// The port; `nil` on a Unix domain socket.
    public var port: Int? { server.address.port }

    /// The path of the socket; `nil` on a port.
    public var socketPath: String? { server.address.pathname }

    /// Closes the server and its connections, removes its socket, and then returns. Does nothing if it is closed.
    public func close() { server.close() }
}

extension UVDiagnostics: Service {
    /// Waits until the service group shuts down gracefully, or the task is canceled, and then closes the server.
    public func run() async throws {
        try? await gracefulShutdown()
        close()
    }
}
