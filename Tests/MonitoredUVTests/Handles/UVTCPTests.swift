import CLibUV
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
                        text += String(copying: bytes)
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
            let closed = try UVTCP(on: loop)
            try closed.bind(to: loopback)
            let address = try closed.localAddress()
            closed.close()
            try loop.run()
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

    @Test func write_toAPeerThatIsGone_fails_andNeverKills() throws {
        try withLoop { loop in
            var failure: UVError?
            try loop.pair { client, accepted in
                try accepted.closeReset()
                func write() {
                    do {
                        try client.write([UInt8](repeating: 1, count: 4096)) { error in
                            if let error {
                                failure = error
                                client.close()
                            } else {
                                write()
                            }
                        }
                    } catch {
                        failure = error
                        client.close()
                    }
                }
                write()
            }
            try loop.run()
            let code = try #require(failure?.code)
            #expect([.brokenPipe, .connectionReset].contains(code))
        }
    }

    @Test func write_afterShutdown_throws() throws {
        try withLoop { loop in
            try loop.pair { client, accepted in
                try accepted.drain()
                try client.shutdown { error in
                    #expect(error == nil)
                    client.close()
                }
                for _ in 0..<2 {
                    #expect((#expect(throws: UVError.self) { try client.write("late") })?.code == .brokenPipe)
                    #expect(
                        (#expect(throws: UVError.self) { _ = try client.tryWrite([1]) })?.code == .brokenPipe
                    )
                    #expect((#expect(throws: UVError.self) { try client.shutdown() })?.code == .notConnected)
                }
            }
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
                    received += String(copying: bytes)
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
                    order.append("first: " + String(copying: bytes))
                    accepted.stopReading()
                    succeed {
                        try accepted.startReading { bytes in
                            order.append("second: " + String(copying: bytes))
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

    @Test func vectoredWrite_keepsOrder_alsoWhereTheKernelTakesAPart() throws {
        try withLoop { loop in
            let buffers = (0..<1000).map { number in [UInt8](repeating: UInt8(number % 251), count: number * 13 % 9000)
            }
            let sent = Array(buffers.joined())
            var received: [UInt8] = []
            var completions = 0
            try loop.pair { client, accepted in
                try accepted.startReading {
                    received += [UInt8](copying: $0)
                } onEnd: { _ in
                    accepted.close()
                }
                try client.write(vectored: buffers) { error in
                    #expect(error == nil)
                    completions += 1
                }
                try client.write(vectored: [[], []]) { _ in completions += 1 }
                try client.write([UInt8]()) { _ in
                    completions += 1
                    client.close()
                }
                #expect(completions == 0)
            }
            try loop.run()
            #expect(received == sent)
            #expect(completions == 3)
        }
    }

    @Test func tryWrite_takesWhatTheKernelTakes_andNothingBehindAQueue() throws {
        try withLoop { loop in
            try loop.pair { client, accepted in
                let large = [UInt8](repeating: 1, count: 64 << 20)
                let taken = try client.tryWrite(large)
                #expect(taken > 0 && taken < large.count)
                #expect(client.writeQueueSize == 0)
                try client.write(large)
                #expect(client.writeQueueSize > 0)
                try #expect(client.tryWrite([1, 2, 3]) == 0)
                try #expect(client.tryWrite(vectored: [[1], [2]]) == 0)
                client.close()
                accepted.close()
            }
            try loop.run()
        }
    }

    @Test func tenThousandQueuedWrites_areCanceledOnceEach_whenTheHandleCloses() throws {
        try withLoop { loop in
            var codes: [UVError.Code?: Int] = [:]
            try loop.pair { client, accepted in
                try client.write([UInt8](repeating: 1, count: 32 << 20)) { error in codes[error?.code, default: 0] += 1
                }
                for number in 1..<10_000 {
                    try client.write([UInt8(number & 255)]) { error in codes[error?.code, default: 0] += 1 }
                }
                #expect(client.writeQueueSize > 9_999)
                client.close { accepted.close() }
            }
            try loop.run()
            #expect(codes == [.canceled: 10_000])
        }
    }

    /// The writer goes on in completions alone and the reader stops again and again: memory stays bounded.
    @Test func sixtyFourMebibytes_toASlowReader_stayWithinABoundedQueue() throws {
        try withLoop { loop in
            let chunk = (0..<(256 << 10)).map { UInt8($0 & 255) }
            let chunks = 256
            var sent = 0
            var received = 0
            var isIntact = true
            var largestQueue = 0
            try loop.pair { client, accepted in
                func send() {
                    while sent < chunks && client.writeQueueSize <= 512 << 10 {
                        sent += 1
                        succeed { try client.write(chunk) { _ in send() } }
                        largestQueue = max(largestQueue, client.writeQueueSize)
                    }
                    if sent == chunks && client.writeQueueSize == 0 { client.close() }
                }
                func read() throws {
                    try accepted.startReading { bytes in
                        for offset in stride(from: 0, to: bytes.byteCount, by: 4093) {
                            let byte = bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
                            if byte != UInt8((received + offset) & 255) { isIntact = false }
                        }
                        received += bytes.byteCount
                        accepted.stopReading()
                        loop.callLater(.microseconds(100)) { _ in succeed { try read() } }
                    } onEnd: { end in
                        #expect(end == .endOfStream)
                        accepted.close()
                    }
                }
                try read()
                send()
            }
            try loop.run()
            #expect(received == 64 << 20)
            #expect(isIntact)
            #expect(largestQueue <= 768 << 10)
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

    @Test func accept_mayComeLater_andHoldsFurtherConnectionsOff() throws {
        try withLoop { loop in
            let server = try UVTCP(on: loop)
            try server.bind(to: loopback)
            var announced = 0
            try server.listenWithoutAccepting { error in
                #expect(error == nil)
                announced += 1
            }
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
                received += String(copying: $0)
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
                        == .invalidArgument
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

    /// In a process of its own, whose descriptors it uses up; the second time libuv has lost the one it holds back, as it
    /// does when another thread takes it first.
    @Test func server_survives_whenDescriptorsRunOut() async {
        await #expect(processExitsWith: .success) { try useUpDescriptors(libuvHasOne: true) }
        await #expect(processExitsWith: .success) { try useUpDescriptors(libuvHasOne: false) }
    }

    /// libuv's `uv__close` asserts that descriptors are above 2.
    @Test func loop_works_whenStandardDescriptorsWereClosed() async {
        await #expect(processExitsWith: .success) {
            close(0)
            close(1)
            let loop = try UVEventLoop()
            for _ in 0..<2 {
                try loop.pair { client, accepted in
                    try accepted.echo()
                    try client.write("x")
                    try client.startReading { _ in
                        client.close()
                    } onEnd: { _ in
                    }
                }
                try loop.run()
            }
            try loop.close()
        }
    }

    @Test func sigpipe_isIgnored_evenWhenResetLater() async {
        await #expect(processExitsWith: .success) {
            let loop = try UVEventLoop()
            signal(SIGPIPE, SIG_DFL)
            try loop.pair { client, accepted in
                try accepted.closeReset()
                for _ in 0..<5 {
                    usleep(2000)
                    try? client.write("x")
                }
                client.close()
            }
            try loop.run()
            try loop.close()
        }
    }

    @Test func closeCompletion_comesAfterTheHandlesWriteCompletions() throws {
        try withLoop { loop in
            var order: [String] = []
            try loop.pair { client, accepted in
                try accepted.drain()
                // From a closure that the check hook drains: closing comes before the next drain.
                loop.callSoon {
                    succeed { try client.write("x") { error in order.append("write \(error == nil)") } }
                    client.close { order.append("close") }
                }
            }
            try loop.run()
            #expect(order == ["write true", "close"])
        }
    }

    @Test func emptyWrite_waitsForTheConnection() throws {
        try withLoop { loop in
            let closed = try UVTCP(on: loop)
            try closed.bind(to: loopback)
            let address = try closed.localAddress()
            closed.close()
            try loop.run()
            let client = try UVTCP(on: loop)
            var order: [String] = []
            try client.connect(to: address) { error in
                order.append("connect \(error?.code.name ?? "ok")")
                client.close()
            }
            try client.write("") { error in order.append("write \(error == nil)") }
            try client.write(vectored: []) { error in order.append("write \(error == nil)") }
            try loop.run()
            #expect(order == ["connect ECONNREFUSED", "write false", "write false"])
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

    @Test func sigpipe_cannotKill_evenWhenResetInsideACallback() async {
        await #expect(processExitsWith: .success) {
            let loop = try UVEventLoop()
            try loop.pair { client, accepted in
                signal(SIGPIPE, SIG_DFL)
                try accepted.closeReset()
                for _ in 0..<5 {
                    usleep(2000)
                    try? client.write("x")
                }
                client.close()
            }
            try loop.run()
            try loop.close()
        }
    }

    /// A span without memory, as that of an empty `Data`.
    @Test func emptySpan_canBeWritten() throws {
        try withLoop { loop in
            var completions = 0
            let (server, address) = try loop.server { $0.close() }
            let client = try UVTCP(on: loop)
            try client.connect(to: address) { _ in
                client.close()
                server.close()
            }
            try client.write(UnsafeRawBufferPointer(start: nil, count: 0).bytes) { _ in completions += 1 }
            try loop.run()
            #expect(completions == 1)
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

    /// A write that the kernel took at once completes in the next drain; what was asked for after it must not overtake.
    @Test func completions_comeInTheOrderOfTheCalls() throws {
        try withLoop { loop in
            var order: [Int] = []
            try loop.pair { client, accepted in
                try accepted.drain()
                loop.callSoon {
                    succeed {
                        try client.write("small") { _ in order.append(1) }
                        try client.write([UInt8](repeating: 0, count: 16 << 20)) { _ in order.append(2) }
                        try client.write("small") { _ in order.append(3) }
                        try client.shutdown { _ in
                            order.append(4)
                            client.close { order.append(5) }
                        }
                    }
                }
            }
            try loop.pair { client, accepted in
                try accepted.drain()
                loop.callSoon {
                    succeed {
                        try client.write("small") { _ in order.append(-1) }
                        try client.shutdown { _ in order.append(-2) }
                        client.close { order.append(-3) }
                    }
                }
            }
            try loop.run()
            #expect(order.filter { $0 > 0 } == [1, 2, 3, 4, 5])
            #expect(order.filter { $0 < 0 } == [-1, -2, -3])
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
}

private func useUpDescriptors(libuvHasOne: Bool) throws {
    precondition(setDescriptorLimit { $0 = rlimit(rlim_cur: 64, rlim_max: 64) })
    let loop = try UVEventLoop()
    var accepted: [UVTCP] = []
    let server = try UVTCP(on: loop)
    try server.bind(to: loopback)
    var failures = 0
    try server.listen { connection in
        switch connection {
        case .success(let peer): accepted.append(peer)
        case .failure: failures += 1
        }
    }
    if !libuvHasOne {
        close(loop.core.uv.pointee.emfile_fd)
        loop.core.uv.pointee.emfile_fd = -1
    }
    let address = try server.localAddress()
    // Sockets of this side, plain ones, until there are no descriptors left at all.
    var clients: [Int32] = []
    while true {
        let client = socket(AF_INET, streamSocketType, 0)
        if client < 0 { break }
        let status = address.withSockaddr { connect(client, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        precondition(status == 0)
        clients.append(client)
    }
    precondition(errno == EMFILE)
    for _ in 0..<10 { try loop.run(.noWait) }
    precondition(accepted.isEmpty, "there was no descriptor to accept with")
    // The clients were not left hanging: each sees an end.
    for client in clients {
        var byte: UInt8 = 0
        precondition(read(client, &byte, 1) <= 0)
        close(client)
    }
    // With descriptors at hand again the server accepts as before.
    let client = try UVTCP(on: loop)
    try client.connect(to: address) { error in precondition(error == nil) }
    while accepted.isEmpty { try loop.run(.once) }
    accepted.forEach { $0.close() }
    client.close()
    server.close()
    try loop.run()
    try loop.close()
}
