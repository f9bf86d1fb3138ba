import Foundation
import MonitoredUV

/// A TCP server of three requests, one a line: `ping` answers at once, `slow` waits on timers, `block` blocks the loop.
final class DemoServer {
    private let loop: UVEventLoop
    private let listener: UVTCP
    private var connections: [ObjectIdentifier: Connection] = [:]

    /// Listens on `port` of 127.0.0.1; 0 lets the system choose.
    init(on loop: UVEventLoop, port: Int) throws {
        self.loop = loop
        listener = try UVTCP(on: loop)
        do {
            try listener.bind(to: UVSocketAddress("127.0.0.1", port: port))
            try listener.listen { [unowned self] in accept($0) }
        } catch {
            listener.close()
            throw error
        }
    }

    var address: UVSocketAddress { get throws { try listener.localAddress() } }

    var connectionCount: Int { connections.count }

    func close() {
        listener.close()
        for connection in connections.values { connection.end() }
    }

    private func accept(_ result: Result<UVTCP, UVError>) {
        do {
            let connection = Connection(try result.get())
            let id = ObjectIdentifier(connection)
            try connection.serve { [unowned self, unowned connection] in
                handle($0, on: connection)
            } onEnd: { [unowned self] in
                connections[id] = nil
            }
            connections[id] = connection
        } catch {
            FileHandle.standardError.write(Data("a connection was not accepted: \(error)\n".utf8))
        }
    }

    private func handle(_ request: String, on connection: Connection) {
        switch request {
        case "ping": connection.answer("pong")
        case "slow":
            connection.begin()
            handleSlow(connection)
        case "block":
            connection.begin()
            handleBlocking(connection)
        default: connection.answer("unknown request; try ping, slow, or block")
        }
    }

    /// Three waits of 50 ms that leave the loop to others.
    private func handleSlow(_ connection: Connection, waits: Int = 3) {
        if connection.hasEnded { return }
        if waits == 0 { return connection.finish("slow, but nobody waited for it") }
        loop.callLater(.milliseconds(50)) { [unowned self] in handleSlow(connection, waits: waits - 1) }
    }

    /// Work of 200 ms that keeps the loop from everybody: what must never be done on it.
    private func handleBlocking(_ connection: Connection) {
        loop.callSoon {
            if connection.hasEnded { return }
            connection.finish("blocked everybody for 200 ms: \(renderReport())")
        }
    }
}

/// Computes for 200 ms.
@inline(never) private func renderReport() -> Int {
    let end = ContinuousClock.now + .milliseconds(200)
    var sum = 0
    while ContinuousClock.now < end { for number in 0..<10_000 { sum = sum &* 31 &+ number } }
    return sum
}

/// One client, read line by line. Clients that take too much of the server, or say nothing for long, are cut off.
private final class Connection {
    private let socket: UVTCP
    private var partialLine: [UInt8] = []
    /// How many requests wait for their answers.
    private var waiting = 0
    private var silence: ScheduledCallback?
    private var onEnd: () -> Void = {}
    private static let longestLine = 4096
    private static let longestSilence = Duration.seconds(60)
    private static let mostUnread = 1 << 20
    private static let mostWaiting = 100

    init(_ socket: UVTCP) { self.socket = socket }

    /// - Parameter onEnd: Called once when the client has gone or is cut off.
    func serve(_ onLine: @escaping (String) -> Void, onEnd: @escaping () -> Void) throws {
        self.onEnd = onEnd
        do {
            try socket.startReading { [unowned self] bytes in
                silence?.reschedule(after: Self.longestSilence)
                read([UInt8](uvBytes: bytes), onLine)
            } onEnd: { [unowned self] _ in
                end()
            }
        } catch {
            socket.close()
            throw error
        }
        silence = socket.loop.callLater(Self.longestSilence, name: "silence of a client") { [unowned self] in end() }
    }

    /// Hands over each line that ends in `bytes`; ends at a limit.
    private func read(_ bytes: [UInt8], _ onLine: (String) -> Void) {
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for line in lines.dropLast() {
            partialLine += line
            let text = String(decoding: partialLine, as: UTF8.self)
            partialLine.removeAll(keepingCapacity: true)
            onLine(text.trimmingCharacters(in: .whitespacesAndNewlines))
            if hasEnded { return }
            if socket.writeQueueSize > Self.mostUnread || waiting > Self.mostWaiting { return end() }
        }
        partialLine += lines.last ?? []
        if partialLine.count > Self.longestLine { end() }
    }

    var hasEnded: Bool { socket.isClosing }

    func end() {
        if hasEnded { return }
        silence?.cancel()
        socket.close()
        onEnd()
    }

    func answer(_ text: String) {
        if hasEnded { return }
        do { try socket.write(text + "\n") } catch { end() }
    }

    /// A request waits for its answer from now on.
    func begin() { waiting += 1 }

    /// Answers a request that waited.
    func finish(_ text: String) {
        waiting -= 1
        answer(text)
    }
}
