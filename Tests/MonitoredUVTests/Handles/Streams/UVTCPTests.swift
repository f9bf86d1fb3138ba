import Foundation
import Testing

@testable import MonitoredUV

struct UVTCPTests {
    @Test(arguments: ["127.0.0.1", "::1"])
    func echo_returnsWhatWasSent_onBothFamilies(_ host: String) throws {
        try withLoop { loop in
            let server = try UVTCP(on: loop)
            try server.bind(to: UVSocketAddress(host, port: 0), ipv6Only: host == "::1")
            try server.listen { connection in
                server.close()
                succeed { try connection.get().echo() }
            }
            let address = try server.localAddress()
            #expect(address.host == host)
            let client = try UVTCP(on: loop)
            var text = ""
            try client.connect(to: address) { error in
                #expect(error == nil)
                succeed {
                    try client.setNoDelay(true)
                    try client.setKeepAlive(.seconds(30))
                    try client.setKeepAlive(nil)
                    try #expect(client.remoteAddress() == address)
                    try client.startReading { bytes in
                        text += String(uvBytes: bytes)
                        if text == "hello, loop" { client.close() }
                    } onEnd: {
                        Issue.record("\($0)")
                    }
                    try client.write("hello, ")
                    try client.write(Array("loop".utf8))
                }
            }
            try loop.run()
            #expect(text == "hello, loop")
        }
    }

    @Test func connect_isRefused_whereNobodyListens() throws {
        try withLoop { loop in
            let address = try loop.addressWhereNobodyListens()
            let client = try UVTCP(on: loop)
            var result: UVError?
            try client.connect(to: address) { error in
                result = error
                client.close()
            }
            try loop.run()
            #expect(result?.code == .connectionRefused)
            #expect(result?.operation == "uv_tcp_connect")
        }
    }

    @Test func connect_isCanceledOnce_whenTheHandleCloses() throws {
        try withLoop { loop in
            let (server, address) = try loop.server { $0.close() }
            let client = try UVTCP(on: loop)
            var results: [UVError?] = []
            try client.connect(to: address) { results.append($0) }
            client.close { #expect(results.count == 1) }
            #expect(results.isEmpty)
            server.close()
            try loop.run()
            #expect(results.map { $0?.code } == [.canceled])
        }
    }

    @Test func listen_throws_whenTheAddressIsInUse() throws {
        try withLoop { loop in
            let (server, address) = try loop.server { $0.close() }
            let second = try UVTCP(on: loop)
            try second.bind(to: address)
            let error = #expect(throws: UVError.self) { try second.listen { _ in } }
            #expect(error?.code == .addressInUse)
            server.close()
            second.close()
            try loop.run()
        }
    }

    @Test func closeReset_callsBack_andIsIdempotent() throws {
        try withLoop { loop in
            var closed = 0
            try loop.pair { client, accepted in
                try accepted.drain()
                try client.closeReset { closed += 1 }
                try client.closeReset { closed += 1 }
                client.close { closed += 1 }
            }
            try loop.run()
            #expect(closed == 3)
        }
    }

    @Test func twoThousandConnections_atOnce() throws {
        #expect(setDescriptorLimit { $0.rlim_cur = min($0.rlim_max, 20_000) })
        try withLoop { loop in
            let count = 2000
            var open = 0
            var peak = 0
            var answers = 0
            var clients: [UVTCP] = []
            var listening: UVTCP?
            /// One for each that was accepted, so that the backlog does not overflow.
            func connectNext(_ address: UVSocketAddress) throws {
                if clients.count == count { return }
                let client = try UVTCP(on: loop)
                clients.append(client)
                try client.connect(to: address) { error in #expect(error == nil) }
            }
            func talk() throws {
                for client in clients {
                    try client.startReading { _ in
                        answers += 1
                        client.close()
                        if answers == count { listening?.close() }
                    } onEnd: {
                        Issue.record("\($0)")
                    }
                    try client.write("ping")
                }
            }
            let (server, address) = try loop.server { peer in
                open += 1
                peak = max(peak, open)
                succeed {
                    try peer.startReading { bytes in
                        succeed { try peer.write(bytes) }
                    } onEnd: { _ in
                        peer.close { open -= 1 }
                    }
                    if open == count { try talk() } else { try connectNext(listening!.localAddress()) }
                }
            }
            listening = server
            for _ in 0..<100 { try connectNext(address) }
            try loop.run()
            #expect(answers == count)
            #expect(peak == count)
            #expect(open == 0)
            clients = []
        }
    }

    @Test func adoptedDescriptor_isUsedAndClosed() throws {
        try withLoop { loop in
            var ends: [Int32] = [-1, -1]
            #expect(socketpair(AF_UNIX, streamSocketType, 0, &ends) == 0)
            let left = try UVTCP(on: loop, adopting: ends[0])
            try #expect(left.fileDescriptor() == ends[0])
            try left.startReading { _ in
            } onEnd: { _ in
            }
            #expect((#expect(throws: UVError.self) { _ = try UVTCP(on: loop, adopting: ends[0]) })?.code == .fileExists)
            let right = try UVTCP(on: loop, adopting: ends[1])
            var received = ""
            try right.startReading {
                received += String(uvBytes: $0)
            } onEnd: { _ in
                right.close()
            }
            try left.write("adopted") { _ in left.close() }
            try loop.run()
            #expect(received == "adopted")  // and the right end saw the left one's descriptor being closed
        }
    }

    @Test func adopting_refusesWhatIsNoSocketOfItsOwn() throws {
        try withLoop { loop in
            for descriptor in [-1, 0, 1, 2] as [Int32] {
                #expect(
                    (#expect(throws: UVError.self) { _ = try UVTCP(on: loop, adopting: descriptor) })?.code
                        == (descriptor < 0 ? .badFileDescriptor : .invalidArgument)
                )
            }
            #expect(
                (#expect(throws: UVError.self) { _ = try UVTCP(on: loop, adopting: 9999) })?.code == .badFileDescriptor
            )
            let file = open("/dev/null", O_RDWR)
            #expect((#expect(throws: UVError.self) { _ = try UVTCP(on: loop, adopting: file) })?.code == .notSocket)
            #expect(close(file) == 0)
            try loop.run()
        }
    }

    @Test func operations_withoutAConnection_throw() throws {
        try withLoop { loop in
            let socket = try UVTCP(on: loop)
            #expect(
                (#expect(throws: UVError.self) {
                    try socket.startReading { _ in
                    } onEnd: { _ in
                    }
                })?.code == .notConnected
            )
            #expect((#expect(throws: UVError.self) { try socket.write("x") })?.code == .badFileDescriptor)
            #expect((#expect(throws: UVError.self) { try socket.shutdown() })?.code == .notConnected)
            #expect((#expect(throws: UVError.self) { _ = try socket.remoteAddress() }) != nil)
            #expect((#expect(throws: UVError.self) { try socket.setKeepAlive(.zero) })?.code == .invalidArgument)
            #expect(
                (#expect(throws: UVError.self) { try socket.setKeepAlive(.seconds(40_000)) })?.code == .invalidArgument
            )
            #expect(!socket.isReadable && !socket.isWritable)
            socket.stopReading()
            socket.close()
            try loop.run()
        }
    }

    @Test func operations_onAClosedHandle_throw() throws {
        try withLoop { loop in
            let socket = try UVTCP(on: loop)
            socket.close()
            func expectClosed(_ operation: () throws -> Void) {
                #expect((#expect(throws: UVError.self) { try operation() })?.code == .badFileDescriptor)
            }
            for _ in 0..<2 {
                expectClosed { try socket.bind(to: loopback) }
                expectClosed { try socket.listen { _ in } }
                expectClosed { _ = try socket.accept() }
                expectClosed { try socket.connect(to: loopback) { _ in } }
                expectClosed {
                    try socket.startReading { _ in
                    } onEnd: { _ in
                    }
                }
                expectClosed { try socket.write("x") }
                expectClosed { try socket.write(vectored: [[1]]) }
                expectClosed { _ = try socket.tryWrite([1]) }
                expectClosed { try socket.shutdown() }
                expectClosed { try socket.setNoDelay(true) }
                expectClosed { try socket.setKeepAlive(.seconds(1)) }
                expectClosed { _ = try socket.localAddress() }
                expectClosed { _ = try socket.remoteAddress() }
                expectClosed { _ = try socket.fileDescriptor() }
                socket.stopReading()
                #expect(socket.writeQueueSize == 0)
                #expect(!socket.isReadable && !socket.isWritable)
                try socket.closeReset()
                try loop.run()
            }
        }
    }

    @Test func adoptedUnixSocket_hasNoIPAddress() throws {
        try withLoop { loop in
            var ends: [Int32] = [-1, -1]
            #expect(socketpair(AF_UNIX, streamSocketType, 0, &ends) == 0)
            let socket = try UVTCP(on: loop, adopting: ends[0])
            #expect(
                (#expect(throws: UVError.self) { _ = try socket.localAddress() })?.code == .addressFamilyNotSupported
            )
            socket.close()
            close(ends[1])
            try loop.run()
        }
    }
}
