import Foundation
import Testing

@testable import MonitoredUV

struct StreamListenerTests {
    /// While accepting fails the loop's timers go on, the error is told once, and afterwards all are served.
    @Test(arguments: [EMFILE, ENFILE, ENOBUFS, ENOMEM, EPERM, EINVAL, EBADF, EOPNOTSUPP, EIO])
    func errorThatLasts_doesNotHoldTheLoop(_ code: Int32) throws {
        try withLoop { loop in
            var (told, accepted, tries) = ([UVError.Code](), 0, 0)
            let server = try UVTCP(on: loop)
            try server.bind(to: loopback)
            try server.listen { connection in
                switch connection {
                case .success(let peer):
                    accepted += 1
                    peer.close()
                case .failure(let error): told.append(error.code)
                }
            }
            let listener = try #require(server.listener)
            let accept = listener.accept
            listener.accept = { _ in
                tries += 1
                errno = code
                return -1
            }
            let clients = try connect(3, to: server)
            var ticks = 0
            let timer = loop.callLater(.milliseconds(1), repeating: .milliseconds(1)) { _ in ticks += 1 }
            while ticks < 50 { try loop.run(.once) }
            #expect(told == [UVError.Code(rawValue: -code)])
            #expect(accepted == 0)
            #expect((2...52).contains(tries), "\(tries)")
            #expect(server.isActive)
            listener.accept = accept
            while accepted < 3 { try loop.run(.once) }
            timer.cancel()
            clients.forEach { close($0) }
            server.close()
            try loop.run()
        }
    }

    /// It is gone from the queue with the connection.
    @Test(arguments: [ECONNABORTED, EINTR, EPROTO, ENETDOWN, EHOSTUNREACH])
    func errorOfAConnection_isSkipped(_ code: Int32) throws {
        try withLoop { loop in
            var (accepted, failures) = (0, 2)
            let (server, _) = try loop.server { peer in
                accepted += 1
                peer.close()
            }
            let listener = try #require(server.listener)
            let accept = listener.accept
            listener.accept = { socket in
                if failures == 0 { return accept(socket) }
                failures -= 1
                errno = code
                return -1
            }
            let clients = try connect(3, to: server)
            while accepted < 3 { try loop.run(.once) }
            clients.forEach { close($0) }
            server.close()
            try loop.run()
        }
    }

    /// When a handle of the loop closes, not only by the clock.
    @Test func closedHandle_makesItTryAgain() throws {
        try withLoop { loop in
            var accepted = 0
            let server = try UVTCP(on: loop)
            try server.bind(to: loopback)
            try server.listen { connection in
                guard case .success(let peer) = connection else { return }
                accepted += 1
                peer.close()
            }
            let listener = try #require(server.listener)
            let accept = listener.accept
            listener.accept = { _ in
                errno = ENOBUFS
                return -1
            }
            let clients = try connect(1, to: server)
            while loop.core.members.descriptorWaiters.isEmpty { try loop.run(.once) }
            listener.accept = accept
            let timer = UVTimer(on: loop) { _ in }
            timer.close()
            try loop.run(.noWait)
            #expect(loop.core.members.descriptorWaiters.isEmpty)
            while accepted == 0 { try loop.run(.once) }
            clients.forEach { close($0) }
            server.close()
            try loop.run()
        }
    }

    @Test func manyConnections_areAcceptedInBatches_andOtherCallbacksGetTheirTurn() throws {
        try withLoop { loop in
            var (accepted, turns, most, inTurn) = (0, 0, 0, 0)
            let (server, _) = try loop.server(backlog: 1024) { peer in
                accepted += 1
                inTurn += 1
                most = max(most, inTurn)
                peer.close()
            }
            let check = UVCheck(on: loop) {
                turns += 1
                inTurn = 0
            }
            check.start()
            let clients = try connect(100, to: server)
            while accepted < 100 { try loop.run(.once) }
            #expect((16...StreamListener.mostAtOnce).contains(most), "\(most)")
            #expect((2...40).contains(turns), "\(turns)")
            clients.forEach { close($0) }
            check.close()
            server.close()
            try loop.run()
        }
    }

    @Test func connectionThatNobodyAccepted_isClosedWithTheServer() throws {
        try withLoop { loop in
            let server = try UVTCP(on: loop)
            try server.bind(to: loopback)
            var announced = 0
            try server.listen(onPending: { _ in announced += 1 })
            let clients = try connect(2, to: server)
            while announced == 0 { try loop.run(.once) }
            // It holds the loop, also while it polls nothing.
            #expect(server.isActive && server.keepsLoopAlive)
            #expect(try loop.run(.noWait))
            server.unref()
            #expect(try !loop.run(.untilDone))
            server.ref()
            #expect(try loop.run(.noWait))
            // Another listener of the same socket has it, and announces it.
            try server.listen(onPending: { _ in announced += 1 })
            while announced == 1 { try loop.run(.once) }
            let descriptor = try server.acceptDescriptor()
            #expect(announced == 2)
            let code = #expect(throws: UVError.self) { try server.acceptDescriptor() }?.code
            #expect(code == .resourceTemporarilyUnavailable)
            while announced == 2 { try loop.run(.once) }
            server.close()
            try loop.run()
            close(descriptor)
            for client in clients {
                var byte: UInt8 = 0
                #expect(read(client, &byte, 1) <= 0)
                close(client)
            }
        }
    }

    @Test func connection_canBeHandedToAnotherLoop() throws {
        try withLoop { loop in
            let group = try UVEventLoopGroup(count: 1)
            let other = group.next()
            let answered = Counter()
            let server = try UVTCP(on: loop)
            try server.bind(to: loopback)
            try server.listen(onPending: { _ in
                succeed {
                    let descriptor = try server.acceptDescriptor()
                    other.execute {
                        succeed {
                            let connection = try UVTCP(on: other, adopting: descriptor)
                            try connection.write(Array("hello".utf8)) { _ in
                                answered.count()
                                connection.close()
                            }
                        }
                    }
                }
            })
            let client = try connect(1, to: server)[0]
            while answered.value == 0 { try loop.run(.noWait) }
            var bytes = [UInt8](repeating: 0, count: 5)
            #expect(read(client, &bytes, 5) == 5)
            #expect(bytes == Array("hello".utf8))
            close(client)
            group.shutdown()
            server.close()
            try loop.run()
        }
    }

    @Test func serverThatWasNotBound_getsAPort() throws {
        try withLoop { loop in
            let server = try UVTCP(on: loop)
            try server.listen { _ in }
            #expect(try server.localAddress().port > 0)
            server.close()
            try loop.run()
        }
    }

    @Test func datagramSocket_isNotAdopted() throws {
        try withLoop { loop in
            let socket = socket(AF_INET, datagramSocketType, 0)
            let error = #expect(throws: UVError.self) { _ = try UVTCP(on: loop, adopting: socket) }
            #expect(error?.code == UVError.Code(rawValue: -EPROTOTYPE))
            #expect(close(socket) == 0)
            try loop.run()
        }
    }

    /// In a process of its own: nothing is held that was not given back, whatever became of the clients.
    @Test func close_givesBackEveryDescriptor() async {
        await #expect(processExitsWith: .success) {
            for policy in [UVStream.OutOfDescriptors.hold, .shed] {
                let before = openDescriptors()
                let loop = try UVEventLoop()
                let server = try UVTCP(on: loop)
                try server.bind(to: loopback)
                var announced = 0
                try server.listen(whenOutOfDescriptors: policy, onPending: { _ in announced += 1 })
                let clients = try connect(3, to: server)
                while announced == 0 { try loop.run(.once) }
                server.close()
                try loop.run()
                clients.forEach { close($0) }
                try loop.close()
                precondition(openDescriptors() == before)
            }
        }
    }

    /// One, two, and four loops that listen, clients that come and go, and threads that take every descriptor there is.
    @Test(arguments: [1, 2, 4])
    func loops_turn_whileOthersTakeAllDescriptors(_ loops: Int) async {
        switch loops {
        case 1: await #expect(processExitsWith: .success) { try starve(1) }
        case 2: await #expect(processExitsWith: .success) { try starve(2) }
        default: await #expect(processExitsWith: .success) { try starve(4) }
        }
    }
}

/// Plain sockets, connected to `server`.
private func connect(_ count: Int, to server: UVTCP) throws -> [Int32] {
    let address = try server.localAddress()
    return (0..<count).map { _ in
        let client = socket(AF_INET, streamSocketType, 0)
        precondition(client >= 0 && connect(client, to: address))
        return client
    }
}

private func connect(_ client: Int32, to address: UVSocketAddress) -> Bool {
    address.withSockaddr { connect(client, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) } == 0
}

/// Sockets and devices: of other kinds the libraries may open some at any time.
private func openDescriptors() -> Int {
    (Int32(0)..<4096).count { descriptor in
        var status = stat()
        return fstat(descriptor, &status) == 0 && [S_IFSOCK, S_IFCHR].contains(status.st_mode & S_IFMT)
    }
}

private final class Turns: Sendable {
    let beats = Counter()
    let accepted = Counter()
    let failures = Counter()
}

private func starve(_ count: Int) throws {
    limitDescriptors(to: 120)
    let group = try UVEventLoopGroup(count: count)
    let turns = (0..<count).map { _ in Turns() }
    let addresses = Lock<[UVSocketAddress]>([])
    for (loop, turn) in zip(group.loops, turns) {
        loop.execute {
            succeed {
                let server = try UVTCP(on: loop)
                try server.bind(to: loopback)
                try server.listen { connection in
                    guard case .success(let peer) = connection else { return turn.failures.count() }
                    turn.accepted.count()
                    // It stays for a while, so that clients use up the descriptors.
                    loop.callLater(.milliseconds(20)) { peer.close() }
                }
                loop.callLater(.milliseconds(1), repeating: .milliseconds(1)) { _ in turn.beats.count() }
                let address = try server.localAddress()
                addresses.withLock { $0.append(address) }
            }
        }
    }
    while addresses.withLock({ $0.count }) < count { usleep(100) }
    let (isOver, isFed) = (Counter(), Counter())
    // Takes what there is, and gives one back only to take it again.
    let thieves = try (0..<2).map { _ in
        try LoopThread(name: "thief") {
            var held: [Int32] = []
            while isOver.value == 0 {
                let descriptor = dup(0)
                if descriptor >= 0 { held.append(descriptor) } else if held.count > 1 { close(held.removeLast()) }
                sched_yield()
            }
            held.forEach { close($0) }
        }
    }
    let client = try LoopThread(name: "client") {
        var turn = 0
        while isFed.value == 0 {
            let client = socket(AF_INET, streamSocketType, 0)
            if client >= 0 {
                _ = connect(client, to: addresses.withLock { $0[turn % $0.count] })
                close(client)
            }
            turn += 1
            usleep(200)
        }
    }
    // Every loop has been refused descriptors, and its timer has gone on and on.
    for turn in turns {
        while turn.failures.value == 0 { usleep(1000) }
        let beats = turn.beats.value
        while turn.beats.value < beats + 100 { usleep(1000) }
    }
    isOver.count()
    thieves.forEach { $0.join() }
    // With descriptors at hand again each accepts as before.
    for turn in turns {
        let accepted = turn.accepted.value
        while turn.accepted.value < accepted + 20 { usleep(1000) }
    }
    isFed.count()
    client.join()
    group.shutdown()
}
