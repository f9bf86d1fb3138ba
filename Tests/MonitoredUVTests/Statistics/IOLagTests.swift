import Foundation
import Testing

@testable import MonitoredUV

/// The range of I/O's lag against what really happened.
struct IOLagTests {
    /// The most of some lags, for a busy machine may make one of the polls look like sleep.
    private func most(_ lag: () throws -> Duration) rethrows -> Duration {
        try max(lag(), lag(), lag())
    }

    /// 16 MB are flushed on each of two connections before the callback, which takes longer than a millisecond; so it
    /// looks like sleep, and is none.
    @Test func aPollThatFlushesWhatIsQueued_isNoSleep() throws {
        let block = Duration.milliseconds(150)
        #expect(try most { try lagBehindFlushes(block) } >= block)
    }

    private func lagBehindFlushes(_ block: Duration) throws -> Duration {
        var lag = Duration.zero
        try withLoop { loop in
            let recorder = Recorder(on: loop)
            let begin = DispatchSemaphore(value: 0)
            var readers: [LoopThread] = []
            var open: [UVTCP] = []
            func end() { open.forEach { $0.close() } }
            func next(_ number: Int) throws {
                try loop.pair { client, accepted in
                    open += [client, accepted]
                    if number < 2 {
                        // The peer's kernel and this thread take all of it while the loop is blocked.
                        let descriptor = dup(try client.fileDescriptor())
                        readers.append(
                            try LoopThread(name: "reader") {
                                begin.wait()
                                readAll(descriptor, 16 << 20)
                            }
                        )
                        try accepted.write([UInt8](repeating: 1, count: 16 << 20))
                        return try next(number + 1)
                    }
                    accepted.name = "late"
                    try accepted.startReading { _ in
                        end()
                    } onEnd: { _ in
                    }
                    loop.callSoon(name: "block") {
                        for _ in readers { begin.signal() }
                        // By then there is room on the others, so that the poll comes to them first.
                        spin(.milliseconds(50))
                        succeed { try client.write("x") }
                        spin(block)
                    }
                }
            }
            try next(0)
            try loop.run()
            readers.forEach { $0.join() }
            lag = try #require(recorder.named("late").first).loopLag
        }
        return lag
    }

    /// 900 descriptors that the poll registers first.
    @Test func aPollThatRegistersManyDescriptors_isNoSleep() throws {
        let isPossible = setDescriptorLimit { $0.rlim_cur = max($0.rlim_cur, min($0.rlim_max, 4096)) }
        try #require(isPossible)
        let block = Duration.milliseconds(100)
        #expect(try most { try lagBehindRegistrations(block) } >= block)
    }

    private func lagBehindRegistrations(_ block: Duration) throws -> Duration {
        var lag = Duration.zero
        try withLoop { loop in
            let recorder = Recorder(on: loop)
            var open: [UVTCP] = []
            var accepted: [UVTCP] = []
            let (server, address) = try loop.server { accepted.append($0) }
            for _ in 0..<900 {
                let client = try UVTCP(on: loop)
                open.append(client)
                try client.connect(to: address) { #expect($0 == nil) }
            }
            while accepted.count < 900 { try loop.run(.once) }
            loop.callSoon(name: "block") {
                succeed {
                    try open[0].write("x")
                    spin(block)
                    for peer in accepted {
                        peer.name = "late"
                        try peer.startReading { _ in
                            (open + accepted + [server]).forEach { $0.close() }
                        } onEnd: { _ in
                        }
                    }
                }
            }
            try loop.run()
            lag = try #require(recorder.of(.read).first).loopLag
        }
        return lag
    }

    /// A connection that comes while the first one's callback runs is accepted behind it, in the same poll.
    @Test func lowerBoundOfASecondConnection_countsFromTheFirstOnesEnd() throws {
        try withLoop { loop in
            let recorder = Recorder(on: loop)
            let block = Duration.milliseconds(150)
            var second: UInt64 = 0
            var delay = Duration.zero
            var connections = 0
            var open: [UVTCP] = []
            let server = try UVTCP(on: loop)
            server.name = "server"
            try server.bind(to: loopback)
            let address = { try server.localAddress() }
            try server.listen { connection in
                succeed {
                    connections += 1
                    open.append(try connection.get())
                    if connections == 2 {
                        delay = Duration(nanoseconds: MonotonicClock.read() - second)
                        return (open + [server]).forEach { $0.close() }
                    }
                    spin(block)
                    second = MonotonicClock.read()
                    let client = try UVTCP(on: loop)
                    open.append(client)
                    try client.connect(to: address()) { _ in }
                }
            }
            let client = try UVTCP(on: loop)
            open.append(client)
            try client.connect(to: address()) { _ in }
            try loop.run()
            let connects = recorder.named("server")
            try #require(connects.count == 2)
            let range = try #require(connects[1].loopLagRange)
            #expect(range.lowerBound <= delay)
            #expect(range.upperBound >= block)  // for all that is known it may have come before
        }
    }

    /// The rest of a message that did not fit into the read buffer may have come while the first part was looked at.
    @Test func lowerBoundOfASecondRead_countsFromTheFirstOnesEnd() throws {
        try withLoop { loop in
            let recorder = Recorder(on: loop)
            loop.core.streams.allocateBuffer()
            loop.core.streams.buffer.len = 4096  // so that the kernel has all of it at once
            let block = Duration.milliseconds(50)
            var sent: UInt64 = 0
            var delay = Duration.zero
            try loop.pair { client, accepted in
                accepted.name = "accepted"
                let descriptor = try client.fileDescriptor()
                var received = 0
                try accepted.startReading { bytes in
                    received += bytes.byteCount
                    if received > 4096 {
                        delay = Duration(nanoseconds: MonotonicClock.read() - sent)
                        return [client, accepted].forEach { $0.close() }
                    }
                    guard received == 4096 else { return }
                    spin(block)
                    sent = MonotonicClock.read()
                    var byte: UInt8 = 1
                    #expect(write(descriptor, &byte, 1) == 1)
                } onEnd: { _ in
                }
                loop.callSoon { succeed { try client.write([UInt8](repeating: 1, count: 4096)) } }
            }
            try loop.run()
            let last = try #require(recorder.named("accepted").last)
            #expect(try #require(last.loopLagRange).lowerBound <= delay)
        }
    }

    /// With more ready descriptors than fit into one poll, libuv polls again without a word.
    @Test func lowerBound_holds_inAPollThatIsRepeated() throws {
        let isPossible = setDescriptorLimit { $0.rlim_cur = max($0.rlim_cur, min($0.rlim_max, 8192)) }
        try #require(isPossible)
        try withLoop { loop in
            let recorder = Recorder(on: loop)
            let count = 1200
            var open: [UVTCP] = []
            var accepted: [UVTCP] = []
            var sent = [UInt64](repeating: 0, count: count)
            let (server, address) = try loop.server { accepted.append($0) }
            for _ in 0..<count {
                let client = try UVTCP(on: loop)
                open.append(client)
                try client.connect(to: address) { #expect($0 == nil) }
                while accepted.count < open.count { try loop.run(.once) }
            }
            var order: [Int] = []
            var delays: [Duration] = []
            for (number, peer) in accepted.enumerated() {
                peer.name = "peer"
                try peer.startReading { _ in
                    order.append(number)
                    delays.append(Duration(nanoseconds: MonotonicClock.read() - sent[number]))
                    // What comes last is sent while the first poll's events are looked at.
                    if order.count == 500 {
                        for late in 1100..<count {
                            sent[late] = MonotonicClock.read()
                            succeed { try open[late].write("x") }
                        }
                    }
                    if order.count == count { (open + accepted + [server]).forEach { $0.close() } }
                } onEnd: { _ in
                }
            }
            for early in 0..<1100 {
                sent[early] = MonotonicClock.read()
                try open[early].write("x")
            }
            try loop.run()
            let reads = recorder.named("peer").filter { $0.kind == .read }
            try #require(reads.count == count)
            for (delay, state) in zip(delays, reads) { #expect(try #require(state.loopLagRange).lowerBound <= delay) }
        }
    }
}

private func readAll(_ descriptor: Int32, _ count: Int) {
    var left = count
    withUnsafeTemporaryAllocation(byteCount: 1 << 18, alignment: 16) { buffer in
        while left > 0 {
            let received = read(descriptor, buffer.baseAddress, min(left, buffer.count))
            if received > 0 { left -= received } else if received == 0 { break } else { sched_yield() }
        }
    }
    close(descriptor)
}
