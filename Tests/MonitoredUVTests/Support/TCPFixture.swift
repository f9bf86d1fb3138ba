import Testing

@testable import MonitoredUV

let loopback = try! UVSocketAddress("127.0.0.1", port: 0)

extension UVEventLoop {
    /// A server on a free port of 127.0.0.1, and its address.
    func server(
        backlog: Int32 = 511,
        _ onConnection: @escaping (UVTCP) -> Void
    ) throws -> (server: UVTCP, address: UVSocketAddress) {
        let server = try UVTCP(on: self)
        try server.bind(to: loopback)
        try server.listen(backlog: backlog) { connection in
            switch connection {
            case .success(let client): onConnection(client)
            case .failure(let error): Issue.record(error)
            }
        }
        return (server, try server.localAddress())
    }

    /// A port that was free a moment ago, so that connecting to it is refused.
    func addressWhereNobodyListens() throws -> UVSocketAddress {
        let socket = try UVTCP(on: self)
        try socket.bind(to: loopback)
        let address = try socket.localAddress()
        socket.close()
        try run()
        return address
    }

    /// Connects a client to a server of its own; `body` gets both ends, once, while the loop runs.
    func pair(_ body: @escaping (_ client: UVTCP, _ accepted: UVTCP) throws -> Void) throws {
        let client = try UVTCP(on: self)
        var accepted: UVTCP?
        var isConnected = false
        var listening: UVTCP?
        func begin() {
            guard let peer = accepted, isConnected else { return }
            listening?.close()
            do { try body(client, peer) } catch { Issue.record(error) }
        }
        let (server, address) = try server { peer in
            accepted = peer
            begin()
        }
        listening = server
        try client.connect(to: address) { error in
            #expect(error == nil)
            isConnected = true
            begin()
        }
    }
}

extension UVStream {
    /// Reads until the end, drops the bytes, and closes.
    func drain(_ onEnd: ((ReadEnd) -> Void)? = nil) throws {
        try startReading { _ in
        } onEnd: { [unowned self] end in
            onEnd?(end)
            close()
        }
    }

    /// Sends back what it reads, and closes at the end.
    func echo() throws {
        try startReading { [unowned self] bytes in
            do { try write(bytes) } catch { close() }
        } onEnd: { [unowned self] _ in
            close()
        }
    }
}
