import Foundation
import Testing

@testable import MonitoredUV

/// Writing in all its forms, on TCP sockets.
struct UVStreamWritingTests {
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

    @Test func vectoredWrite_keepsOrder_alsoWhereTheKernelTakesAPart() throws {
        try withLoop { loop in
            let buffers = (0..<1000).map { number in [UInt8](repeating: UInt8(number % 251), count: number * 13 % 9000)
            }
            let sent = Array(buffers.joined())
            var received: [UInt8] = []
            var completions = 0
            try loop.pair { client, accepted in
                try accepted.startReading {
                    received += [UInt8](uvBytes: $0)
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
                        loop.callLater(.microseconds(100)) { succeed { try read() } }
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
            let address = try loop.addressWhereNobodyListens()
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
}
