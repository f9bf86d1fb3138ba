import Foundation

@testable import MonitoredUV

/// Names that the two C libraries spell differently.
#if canImport(Darwin)
    let streamSocketType = SOCK_STREAM
    let datagramSocketType = SOCK_DGRAM
    private let descriptorLimit = RLIMIT_NOFILE
#else
    let streamSocketType = Int32(SOCK_STREAM.rawValue)
    let datagramSocketType = Int32(SOCK_DGRAM.rawValue)
    private let descriptorLimit = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
#endif

/// A socket that the kernel has connected to an address of IPv4.
func connectedSocket(to address: UVSocketAddress) -> Int32 {
    let client = socket(AF_INET, streamSocketType, 0)
    let size = socklen_t(MemoryLayout<sockaddr_in>.size)
    precondition(address.withSockaddr { connect(client, $0, size) } == 0)
    return client
}

/// Closes a socket in a way that its peer finds the connection reset.
func closeWithReset(_ socket: Int32) {
    var reset = linger(l_onoff: 1, l_linger: 0)
    setsockopt(socket, SOL_SOCKET, SO_LINGER, &reset, socklen_t(MemoryLayout<linger>.size))
    close(socket)
}

/// Lets this process have this many descriptors above the highest that is open: a process that a test starts may inherit many.
func limitDescriptors(to more: Int) {
    let highest = (Int32(0)..<4096).last { fcntl($0, F_GETFD) != -1 } ?? 2
    precondition(setDescriptorLimit { $0.rlim_cur = rlim_t(Int(highest) + 1 + more) })
}

/// Changes how many descriptors this process may have; `false` if the system refuses.
func setDescriptorLimit(_ change: (inout rlimit) -> Void) -> Bool {
    var limit = rlimit()
    guard getrlimit(descriptorLimit, &limit) == 0 else { return false }
    change(&limit)
    return setrlimit(descriptorLimit, &limit) == 0
}

/// The name that debuggers show of this thread, where it is the one the kernel keeps.
func currentThreadName() -> String {
    let file = (try? String(contentsOfFile: "/proc/thread-self/comm", encoding: .utf8)) ?? ""
    return file.trimmingCharacters(in: .newlines)
}

/// Whether Thread Sanitizer is at work: it holds signals back for a while, and hands them over with the registers of
/// when they came, so that a stack that is captured then is not to be made sense of.
let isThreadSanitized = dlsym(nil, "__tsan_init") != nil
