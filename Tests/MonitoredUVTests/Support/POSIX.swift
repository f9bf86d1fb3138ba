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

/// The path of a program of this package: it lies where this one does, or above its bundle.
func builtProgram(_ name: String) -> String? {
    for argument in CommandLine.arguments where argument.contains(".xctest") {
        var folder = argument[...]
        while let slash = folder.lastIndex(of: "/") {
            folder = folder[..<slash]
            if access("\(folder)/\(name)", X_OK) == 0 { return "\(folder)/\(name)" }
        }
    }
    return nil
}

private func contents(ofFile path: String) -> String {
    guard let file = fopen(path, "r") else { return "" }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    while case let byte = getc(file), byte != EOF { bytes.append(UInt8(byte)) }
    return String(decoding: bytes, as: UTF8.self)
}

/// How a program ended, and what it wrote.
struct ProgramResult {
    /// Its exit code; -1 if a signal ended it.
    let status: Int32
    let output: String
    let errors: String
}

/// Runs a program and waits for it, on this thread.
///
/// Not with Foundation's `Process`, which can miss a child's end where exit tests fork meanwhile. The program writes to
/// files, for a pipe's end may be inherited by such a fork as well.
func runProgram(_ path: String, _ arguments: [String]) throws -> ProgramResult {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let files = ["output", "errors"].map { folder.appendingPathComponent($0).path }
    #if canImport(Darwin)
        var actions: posix_spawn_file_actions_t?
    #else
        var actions = posix_spawn_file_actions_t()
    #endif
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for (descriptor, file) in zip([STDOUT_FILENO, STDERR_FILENO], files) {
        posix_spawn_file_actions_addopen(&actions, descriptor, file, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    }
    var words: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) } + [nil]
    defer { words.forEach { free($0) } }
    var child: pid_t = 0
    let spawned = posix_spawn(&child, path, &actions, nil, &words, environ)
    if spawned != 0 { throw POSIXError(POSIXErrorCode(rawValue: spawned) ?? .EIO) }
    let process = child
    let hung = DispatchWorkItem { kill(process, SIGKILL) }
    DispatchQueue.global().asyncAfter(deadline: .now() + 180, execute: hung)
    defer { hung.cancel() }
    var status: Int32 = 0
    while waitpid(child, &status, 0) == -1 && errno == EINTR {}
    let texts = files.map(contents)
    return ProgramResult(status: status & 0x7f == 0 ? status >> 8 & 0xff : -1, output: texts[0], errors: texts[1])
}

/// Whether Thread Sanitizer is at work: it holds signals back for a while, and hands them over with the registers of
/// when they came, so that a stack that is captured then is not to be made sense of.
let isThreadSanitized = dlsym(nil, "__tsan_init") != nil
