import Foundation
import MonitoredUV

/// Messages of 1 MiB on one connection, which the server sends back: it is as busy with writing as with reading.
///
/// Each word of a message holds the instant at which it was written, so that each piece that the server reads tells how
/// long its beginning has waited.
struct LargeMessageLag {
    let messages: Int
    private static let size = 1 << 20
    private static let tolerance: UInt64 = 200_000

    func run() throws -> Share {
        let loop = try UVEventLoop()
        var share = Share()
        var blocks = RandomBlocks()
        var delay: UInt64?
        loop.setMonitor { state in
            guard state.kind == .read, let waited = delay, let range = state.loopLagRange else { return }
            delay = nil
            let lower = UInt64(range.lowerBound / .nanoseconds(1)), upper = UInt64(range.upperBound / .nanoseconds(1))
            share.add(waited + Self.tolerance >= lower && waited <= upper + Self.tolerance)
        }
        let server = try UVTCP(on: loop)
        try server.bind(to: UVSocketAddress("127.0.0.1", port: 0))
        try server.listen { connection in
            server.close()
            guard let client = try? connection.get() else { return }
            var offset = 0
            try? client.startReading { bytes in
                let now = nanoseconds()
                // The first word may be made of two.
                let first = (8 - offset % 8) % 8 + 8
                if bytes.byteCount >= first + 8 {
                    delay = now - bytes.unsafeLoadUnaligned(fromByteOffset: first, as: UInt64.self)
                }
                offset += bytes.byteCount
                do { try client.write(bytes) } catch { client.close() }
                blocks.next()
            } onEnd: { _ in
                client.close()
            }
        }
        let port = try server.localAddress().port
        let sender = Thread { [messages] in Self.exchange(messages, with: port) }
        sender.start()
        try loop.run()
        try loop.close()
        return share
    }

    /// Sends the messages, each as soon as the one before is back.
    private static func exchange(_ messages: Int, with port: Int) {
        stayOn(processor: 1)
        let socket = connectedSocket(to: port)
        _ = fcntl(socket, F_SETFL, O_NONBLOCK)
        var words = [UInt64](repeating: 0, count: 8192 + 1)
        var received = [UInt8](repeating: 0, count: 1 << 18)
        var (sent, back) = (0, 0)
        while back < messages * size {
            let wanted =
                Int16(POLLIN) | (sent < (back / size + 1) * size && sent < messages * size ? Int16(POLLOUT) : 0)
            var descriptor = pollfd(fd: socket, events: wanted, revents: 0)
            if poll(&descriptor, 1, -1) < 0 && errno != EINTR { fatalError("poll failed with \(errno)") }
            if descriptor.revents & Int16(POLLOUT) != 0 {
                let now = nanoseconds()
                for index in words.indices { words[index] = now }
                let most = min(8192 * 8, (back / size + 1) * size - sent)
                let count = words.withUnsafeBytes { write(socket, $0.baseAddress! + sent % 8, most) }
                if count > 0 { sent += count }
            }
            if descriptor.revents & Int16(POLLIN) != 0 {
                let count = read(socket, &received, received.count)
                if count <= 0 { fatalError("the server has closed the connection") }
                back += count
            }
        }
        close(socket)
    }
}
