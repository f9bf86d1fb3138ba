/// Options of a server of diagnostics.
public struct UVDiagnosticsOptions: Sendable {
    /// The token that requests that change something must carry, as `Authorization: Bearer TOKEN`. Without it, they are refused.
    public var token: String?

    /// Host names, besides `localhost`, by which clients may call the server. Clients that call it by another name are
    /// refused, because a web page can give its own name any address; an IP address is always good.
    public var hostNames: Set<String> = []

    /// The duration for which a dispatch may run before it is listed as a stall.
    public var stallLimit = Duration.milliseconds(100)

    /// The duration for which a loop may be stuck before `/healthz` says that the process is unhealthy.
    public var healthLimit = Duration.seconds(10)

    /// The number of clients that may be connected at a time.
    public var mostClients = 100

    /// Creates options.
    ///
    /// - Parameters:
    ///   - token: The token that requests that change something must carry.
    ///   - hostNames: Host names, besides `localhost`, by which clients may call the server.
    public init(token: String? = nil, hostNames: Set<String> = []) {
        self.token = token
        self.hostNames = hostNames
    }
}
