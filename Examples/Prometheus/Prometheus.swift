import ArgumentParser
import Foundation
import MonitoredUV
import MonitoredUVMetrics

/// A loop with some work, and a second one on a thread of its own that answers Prometheus: also while the first is stuck.
@main
struct Prometheus: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Answers GET /metrics with the figures of a loop.")

    @Option(help: "The port of 127.0.0.1 to answer on.")
    var port = 9464

    @Option(help: "Block the loop for this many milliseconds, again and again, with as long between; 0 for never.")
    var block = 300

    func run() throws {
        let group = try UVEventLoopGroup(count: 1, name: "metrics")
        let answering = group.next()
        let started = DispatchSemaphore(value: 0)
        answering.execute(name: "listen") { [port] in
            do { try MetricsServer.listen(on: answering, port: port) } catch {
                FileHandle.standardError.write(Data("cannot listen on 127.0.0.1:\(port): \(error)\n".utf8))
                Foundation.exit(1)
            }
            started.signal()
        }
        started.wait()
        let loop = try UVEventLoop(name: "app")
        loop.monitoring.startWatchdog(limit: .milliseconds(100)) { _ in }
        loop.callLater(.zero, repeating: .milliseconds(5), name: "tick") { _ in
            for _ in 0..<10 { loop.callSoon(name: "work") { usleep(50) } }
        }
        if block > 0 {
            let length = UInt32(block * 1000)
            loop.callLater(.milliseconds(block), repeating: .milliseconds(2 * block), name: "block") { _ in
                let end = Date(timeIntervalSinceNow: Double(length) / 1e6)
                while Date() < end { usleep(1000) }
            }
        }
        print("ready")
        fflush(nil)
        try loop.run()
    }
}

/// As much HTTP as Prometheus needs: whatever is asked, the answer is the figures, and then the connection ends. No client
/// may take longer than `timeout`.
enum MetricsServer {
    @discardableResult
    static func listen(on loop: UVEventLoop, port: Int, timeout: Duration = .seconds(10)) throws -> UVTCP {
        let server = try UVTCP(on: loop)
        try server.bind(to: UVSocketAddress("127.0.0.1", port: port))
        try server.listen { connection in
            guard let client = try? connection.get() else { return }
            let deadline = loop.callLater(timeout, name: "client timeout") { client.close() }
            func end() {
                deadline.cancel()
                client.close()
            }
            var request: [UInt8] = []
            do {
                try client.startReading { bytes in
                    let searched = max(0, request.count - 3)
                    request += [UInt8](uvBytes: bytes)
                    let isComplete = request[searched...].firstRange(of: "\r\n\r\n".utf8) != nil
                    if !isComplete && request.count <= 16_384 { return }
                    client.stopReading()
                    answer(client, end)
                } onEnd: { _ in
                    end()
                }
            } catch {
                end()
            }
        }
        return server
    }

    private static func answer(_ client: UVTCP, _ end: @escaping () -> Void) {
        let loops = Monitoring.all.filter { $0.level != .off }.map { $0.snapshot() }
        let body = LoopSnapshot.prometheusText(loops, options: .init(names: 20))
        let head =
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
            + "Content-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n"
        do {
            try client.write(head + body) { _ in end() }
        } catch {
            end()
        }
    }
}
