import Foundation
import Testing

@testable import MonitoredUV

/// Listening, reading and shutting down, on TCP sockets.
struct UVStreamTests {
    @Test func reset_isAFailure_andEndOfStreamIsNot() throws {
        try withLoop { loop in
            var ends: [UVStream.ReadEnd] = []
            try loop.pair { client, accepted in
                try accepted.drain { ends.append($0) }
                try client.closeReset()
            }
            try loop.pair { client, accepted in
                try accepted.drain { ends.append($0) }
                client.close()
            }
            try loop.run()
            #expect(ends.count == 2)
            #expect(ends.contains(.endOfStream))
            #expect(ends.contains(.failed(UVError(.connectionReset, operation: "read"))))
        }
    }

    /// Copying to there takes the kernel half as long on some processors.
    @Test func bytesThatAreRead_beginOnAPage() throws {
        try withLoop { loop in
            var offsets: [UInt] = []
            try loop.pair { client, accepted in
                try accepted.startReading { bytes in
                    offsets.append(bytes.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) % 4096 })
                    accepted.close()
                } onEnd: { _ in
                }
                try client.write("one")
                try client.drain()
            }
            try loop.run()
            #expect(offsets == [0])
        }
    }

    @Test func closeInsideTheReadCallback_isTheEnd() throws {
        try withLoop { loop in
            var reads = 0
            var ends = 0
            try loop.pair { client, accepted in
                try accepted.startReading { _ in
                    reads += 1
                    accepted.close()
                    accepted.close()
                } onEnd: { _ in
                    ends += 1
                }
                try client.write("one")
                try client.drain()
            }
            try loop.run()
            #expect(reads == 1)
            #expect(ends == 0)
        }
    }

    @Test func stopReading_holdsThePeerOff_andReadingGoesOn() throws {
        try withLoop { loop in
            let total = 8 << 20
            var received = 0
            var stops = 0
            try loop.pair { client, accepted in
                func read() throws {
                    try accepted.startReading { bytes in
                        received += bytes.byteCount
                        accepted.stopReading()
                        stops += 1
                        loop.callSoon { succeed { try read() } }
                    } onEnd: { end in
                        #expect(end == .endOfStream)
                        accepted.close()
                    }
                }
                try read()
                #expect((#expect(throws: UVError.self) { try read() })?.code == .alreadyInProgress)
                try client.write([UInt8](repeating: 7, count: total)) { error in
                    #expect(error == nil)
                    client.close()
                }
            }
            try loop.run()
            #expect(received == total)
            #expect(stops > 1)
        }
    }

    @Test func reader_canBeReplacedWhileItRuns() throws {
        try withLoop { loop in
            var order: [String] = []
            try loop.pair { client, accepted in
                try accepted.startReading { bytes in
                    order.append("first: " + String(uvBytes: bytes))
                    accepted.stopReading()
                    succeed {
                        try accepted.startReading { bytes in
                            order.append("second: " + String(uvBytes: bytes))
                            accepted.close()
                            client.close()
                        } onEnd: { _ in
                        }
                        try client.write("b")
                    }
                } onEnd: { _ in
                }
                try client.write("a")
            }
            try loop.run()
            #expect(order == ["first: a", "second: b"])
        }
    }

    @Test func freedListener_mayLookAtItsServer() throws {
        final class Slow {
            let body: () -> Void
            init(_ body: @escaping () -> Void) { self.body = body }
            deinit { body() }
        }
        var text = ""
        try withLoop { loop in
            func listen() throws {
                let server = try UVTCP(on: loop)
                server.name = "front"
                try server.bind(to: loopback)
                let observer = Slow { [unowned server] in text = "\(server)" }
                try server.listen { _ in withExtendedLifetime(observer) {} }
                server.close()
            }
            try listen()
            try loop.run()
        }
        #expect(text.contains("front"))
    }

    @Test func accept_mayComeLater_andHoldsFurtherConnectionsOff() throws {
        try withLoop { loop in
            let server = try UVTCP(on: loop)
            try server.bind(to: loopback)
            var announced = 0
            try server.listen(onPending: { error in
                #expect(error == nil)
                announced += 1
            })
            #expect(
                (#expect(throws: UVError.self) { _ = try server.accept() })?.code == .resourceTemporarilyUnavailable
            )
            var connected = 0
            var clients: [UVTCP] = []
            for _ in 0..<3 {
                let client = try UVTCP(on: loop)
                clients.append(client)
                try client.connect(to: server.localAddress()) { _ in connected += 1 }
            }
            while connected < 3 || announced == 0 { try loop.run(.once) }
            for _ in 0..<5 { try loop.run(.noWait) }
            #expect(announced == 1)
            try server.accept().close()
            while announced < 2 { try loop.run(.once) }
            try server.accept().close()
            while announced < 3 { try loop.run(.once) }
            try server.accept().close()
            clients.forEach { $0.close() }
            server.close()
            try loop.run()
        }
    }

    @Test func shutdown_letsTheOtherSideGoOn() throws {
        try withLoop { loop in
            var received = ""
            var order: [String] = []
            try loop.pair { client, accepted in
                try client.write("question")
                try client.shutdown { _ in order.append("shut down") }
                try client.startReading { bytes in
                    received += String(uvBytes: bytes)
                } onEnd: { end in
                    #expect(end == .endOfStream)
                    client.close()
                }
                try accepted.startReading { _ in
                } onEnd: { end in
                    #expect(end == .endOfStream)
                    order.append("end")
                    succeed { try accepted.write("answer") { _ in accepted.close() } }
                }
            }
            try loop.run()
            #expect(received == "answer")
            #expect(Set(order) == ["shut down", "end"])
        }
    }

    @Test func shutdown_whileConnecting_throws() throws {
        try withLoop { loop in
            let (server, address) = try loop.server { $0.close() }
            let client = try UVTCP(on: loop)
            try client.connect(to: address) { error in
                #expect(error == nil)
                succeed { try client.shutdown { _ in client.close() } }
                server.close()
            }
            #expect((#expect(throws: UVError.self) { try client.shutdown() })?.code == .notConnected)
            try loop.run()
        }
    }

    @Test func streamWithoutOnEnd_isClosedAtTheEnd() throws {
        try withLoop { loop in
            var text = ""
            try loop.pair { client, accepted in
                try accepted.startReading { text += String(uvBytes: $0) }
                try client.write("hello")
                try client.shutdown()
                try client.startReading { _ in }
            }
            try #expect(loop.run() == false)
            #expect(text == "hello")
        }
    }
}
