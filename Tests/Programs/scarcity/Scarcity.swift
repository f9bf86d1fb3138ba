import MonitoredUV

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Does one thing on the main thread of a process that has only a few descriptors left, or can start no more threads,
/// and prints what came of it: `done`, or the name of an error's code.
@main struct Scarcity {
    @MainActor private static var answer = "done"

    @MainActor static func main() throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 3, let free = Int(arguments[2]) else {
            return print("usage: scarcity OPERATION (DESCRIPTORS | -1 for no threads)")
        }
        do throws(UVError) {
            if free < 0 { setStackSize(1 << 50) } else { leaveDescriptors(free) }
            try perform(arguments[1])
            print(answer)
        } catch {
            print(error.code.name)
        }
        fflush(nil)
        _exit(0)  // sanitizers want descriptors and threads for their end
    }

    @MainActor private static func perform(_ operation: String) throws(UVError) {
        switch operation {
        case "loop": try UVEventLoop().close()
        case "loop run": try withLoop { loop in loop.callSoon {} }
        case "lookup": try withLoop(lookUp)
        case "lookup, and another with threads":
            try withLoop { loop throws(UVError) in
                do throws(UVError) {
                    try lookUp(loop)
                    fatalError("a lookup was begun without a thread")
                } catch UVError.Code.resourceTemporarilyUnavailable {
                    setStackSize(1 << 20)
                    try lookUp(loop)
                }
            }
        case "watchdog":
            try withLoop { loop in
                loop.callSoon {
                    loop.monitoring.startWatchdog(limit: .seconds(1)) { _ in }
                    _ = loop.monitoring.snapshot()
                }
            }
        case "group": try UVEventLoopGroup(count: 3).shutdown()
        case "run": try tasks { try UVEventLoop.run { try await Task.sleep(for: .milliseconds(1)) } }
        case "runMain": try tasks { try UVEventLoop.runMain { await Task.detached {}.value } }
        case "runMain workers": try tasks { try UVEventLoop.runMain(workers: 2) { await Task.detached {}.value } }
        case "server":
            try tasks {
                try UVEventLoop.run {
                    let server = try await UVTCPServer.listen(host: "127.0.0.1", port: 0)
                    let client = try await UVTCPConnection.connect(host: "127.0.0.1", port: server.localAddress.port)
                    try await client.write("x")
                    await client.close()
                    await server.close()
                }
            }
        default: throw UVError(.invalidArgument, operation: "scarcity", detail: "'\(operation)' is no operation")
        }
    }

    @MainActor private static func tasks(_ body: () throws -> Void) throws(UVError) {
        do { try body() } catch let error as UVError { throw error } catch { fatalError("\(error)") }
    }

    @MainActor private static func withLoop(_ body: (UVEventLoop) throws(UVError) -> Void) throws(UVError) {
        let loop = try UVEventLoop()
        try body(loop)
        try loop.run()
        try loop.close()
    }

    @MainActor private static func leaveDescriptors(_ count: Int) {
        var limit = rlimit()
        #if canImport(Darwin)
            let resource = RLIMIT_NOFILE
        #else
            let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        #endif
        getrlimit(resource, &limit)
        limit.rlim_cur = 128
        precondition(setrlimit(resource, &limit) == 0)
        var opened: [Int32] = []
        while case let descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC), descriptor >= 0 {
            opened.append(descriptor)
        }
        for descriptor in opened.suffix(count) { close(descriptor) }
    }

    @MainActor private static func lookUp(_ loop: UVEventLoop) throws(UVError) {
        try loop.getaddrinfo("localhost", port: 1) { result in
            if case .failure(let error) = result { answer = error.code.name }
        }
    }

    /// Sets the stack size of threads to come; with one that is larger than the address space, none can be started.
    @MainActor private static func setStackSize(_ size: Int) {
        #if os(Linux)
            typealias SetDefault = @convention(c) (UnsafePointer<pthread_attr_t>) -> Int32
            var attributes = pthread_attr_t()
            precondition(pthread_attr_init(&attributes) == 0)
            precondition(pthread_attr_setstacksize(&attributes, size) == 0)
            let function = unsafeBitCast(dlsym(nil, "pthread_setattr_default_np"), to: SetDefault.self)
            precondition(function(&attributes) == 0)
        #endif
    }
}
