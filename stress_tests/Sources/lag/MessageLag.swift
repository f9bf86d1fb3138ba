import Foundation
import MonitoredUV

/// Messages on 16 connections, each with the instant at which it was sent.
struct MessageLag {
    let messages: Int
    private static let connections = 16
    /// For the network, and for how late the client's own stamp may be.
    private static let tolerance: UInt64 = 200_000

    /// For how long a machine may let a process sleep that has been sent something.
    private static let wakeUp: UInt64 = 1_000_000

    struct Result {
        var all = Share()
        /// Without those that were sent when the loop was asleep, and for which it was woken more than a millisecond
        /// later: that is no lag of the loop's. Virtual machines do so at times, to programs in C as well.
        var undisturbed = Share()
    }

    func run() throws -> Result {
        let loop = try UVEventLoop()
        var result = Result()
        var blocks = RandomBlocks()
        var sleepsSince: UInt64 = 0
        var message: (sent: UInt64, delay: UInt64)?
        let prepare = UVPrepare(on: loop) { sleepsSince = nanoseconds() }
        prepare.start()
        prepare.unref()
        loop.setMonitor { state in
            guard state.kind == .read, let (sent, delay) = message, let range = state.loopLagRange else { return }
            message = nil
            let lower = UInt64(range.lowerBound / .nanoseconds(1)), upper = UInt64(range.upperBound / .nanoseconds(1))
            let isInside = delay + Self.tolerance >= lower && delay <= upper + Self.tolerance
            result.all.add(isInside)
            if sent < sleepsSince || delay < lower + Self.wakeUp { result.undisturbed.add(isInside) }
        }
        let server = try UVTCP(on: loop)
        try server.bind(to: UVSocketAddress("127.0.0.1", port: 0))
        var open = Self.connections
        try server.listen { connection in
            guard let client = try? connection.get() else { return }
            try? client.startReading { bytes in
                let now = nanoseconds()
                // Of several messages in one piece the first has waited for longest.
                if bytes.byteCount >= 8 {
                    let sent = bytes.unsafeLoadUnaligned(as: UInt64.self)
                    message = (sent, now - sent)
                }
                blocks.next()
            } onEnd: { _ in
                client.close()
                open -= 1
                if open == 0 {
                    server.close()
                    prepare.close()
                }
            }
        }
        let port = try server.localAddress().port
        let sender = Thread { [messages] in Self.send(messages, to: port) }
        sender.start()
        try loop.run()
        try loop.close()
        return result
    }

    private static func send(_ messages: Int, to port: Int) {
        stayOn(processor: 1)
        let sockets = (0..<connections).map { _ in connectedSocket(to: port) }
        var random = SystemRandomNumberGenerator()
        for _ in 0..<messages {
            var now = nanoseconds()
            if write(sockets.randomElement(using: &random)!, &now, 8) != 8 { fatalError("write failed with \(errno)") }
            if Int.random(in: 0..<50, using: &random) == 0 {
                usleep(2000)
            } else {
                let end = nanoseconds() + UInt64.random(in: 0..<100_000, using: &random)
                while nanoseconds() < end {}
            }
        }
        sockets.forEach { close($0) }
    }
}
