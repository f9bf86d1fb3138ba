import Foundation
import MonitoredUV
import Synchronization

/// Real clients over loopback, on a loop and thread of their own: most ping, some ask for `slow`, one for `block`.
final class DemoClients: Sendable {
    private let loop: UVEventLoop
    private let count: Int
    private let address: UVSocketAddress
    private let answered = Atomic<Int>(0)

    init(on loop: UVEventLoop, count: Int, address: UVSocketAddress) {
        self.loop = loop
        self.count = count
        self.address = address
    }

    /// How many requests were answered so far. Any thread.
    var answers: Int { answered.load(ordering: .relaxed) }

    /// Connects all; each then sends its request again and again, until its connection ends.
    func start() {
        loop.execute { [self] in
            for number in 0..<count {
                // One in eight is slow; the first blocks.
                let (request, pause) =
                    number == 0 ? ("block", 700...900) : number % 8 == 1 ? ("slow", 20...60) : ("ping", 2...9)
                do {
                    try connect(request, pause)
                } catch {
                    report(error)
                }
            }
        }
    }

    private func connect(_ request: String, _ pause: ClosedRange<Int>) throws {
        let socket = try UVTCP(on: loop)
        try socket.connect(to: address) { [self] error in
            do {
                if let error { throw error }
                try socket.startReading { [self] bytes in
                    // Answers are lines; a part of one is followed by the rest.
                    let last = bytes.unsafeLoad(fromByteOffset: bytes.byteCount - 1, as: UInt8.self)
                    if last != UInt8(ascii: "\n") { return }
                    answered.wrappingAdd(1, ordering: .relaxed)
                    sendSoon(request, pause, on: socket)
                } onEnd: { _ in
                    socket.close()
                }
                sendSoon(request, pause, on: socket)
            } catch {
                report(error)
                socket.close()
            }
        }
    }

    private func sendSoon(_ request: String, _ pause: ClosedRange<Int>, on socket: UVTCP) {
        loop.callLater(.milliseconds(Int.random(in: pause))) { [self] in
            if socket.isClosing { return }
            do {
                try socket.write(request + "\n")
            } catch {
                report(error)
                socket.close()
            }
        }
    }

    private func report(_ error: any Error) {
        if (error as? UVError)?.code == .canceled { return }  // the end of the demo
        FileHandle.standardError.write(Data("client: \(error)\n".utf8))
    }
}
