import CLibUV
import Foundation
import Testing

@testable import MonitoredUV

struct SpareDescriptorsTests {
    /// In a process of its own, whose descriptors it uses up; the second time libuv has lost the one it holds back, as
    /// it does when another thread takes it first.
    @Test func server_survives_whenDescriptorsRunOut() async {
        await #expect(processExitsWith: .success) { try useUpDescriptors(libuvHasOne: true) }
        await #expect(processExitsWith: .success) { try useUpDescriptors(libuvHasOne: false) }
    }

    /// Each time another thread takes libuv's, there is one more; those that are used up come back with the next client.
    @Test func libuvsReserve_isReplaced_howeverOftenItIsLost() throws {
        try withLoop { loop in
            let (server, address) = try loop.server { $0.close() }
            for _ in 0..<3 {
                for _ in 0..<4 {
                    close(loop.core.uv.pointee.emfile_fd)
                    loop.core.uv.pointee.emfile_fd = -1
                    try loop.run(.noWait)
                    #expect(loop.core.uv.pointee.emfile_fd >= 0)
                }
                let client = try UVTCP(on: loop)
                var isConnected = false
                try client.connect(to: address) { _ in
                    isConnected = true
                    client.close()
                }
                while !isConnected { try loop.run(.once) }
            }
            server.close()
            try loop.run()
        }
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
    // Other threads of this process may have given one or two back meanwhile.
    precondition(accepted.count <= 4, "there was no descriptor to accept with")
    accepted.forEach { $0.close() }
    try loop.run(.noWait)
    accepted = []
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
