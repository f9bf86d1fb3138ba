import MonitoredUVPlatform

/// Setup that a process needs before libuv may write to sockets and close descriptors in it.
enum ProcessSetup {
    /// Opens `/dev/null`, or `/` if that is missing, on each closed descriptor from 0 to 2: libuv aborts when it closes
    /// a socket with one of these descriptors.
    static func openStandardDescriptors() throws(UVError) {
        for descriptor in Int32(0)...2 where fcntl(descriptor, F_GETFD) == -1 && errno == EBADF {
            if open("/dev/null", O_RDWR) >= 0 || open("/", O_RDONLY) >= 0 { continue }
            throw UVError(UVError.Code(rawValue: -errno), operation: "open", detail: "/dev/null")
        }
    }

    /// Calls `makeLoop`. Until the first loop exists, calls run one at a time and after a check: with its first loop
    /// libuv creates a pipe for signals, and aborts if it cannot.
    static func makingLoop(_ makeLoop: () throws(UVError) -> Void) throws(UVError) {
        let result: Result<Void, UVError>? = hasLoop.withLock { hasLoop in
            if hasLoop { return nil }
            do throws(UVError) {
                // libuv opens up to three other descriptors before the pipe.
                try Descriptor.requireFree(5, for: "uv_loop_init")
                try makeLoop()
                hasLoop = true
                return .success(())
            } catch {
                return .failure(error)
            }
        }
        if let result { try result.get() } else { try makeLoop() }
    }

    private static let hasLoop = Lock(false)

    /// Keeps `SIGPIPE` from ending the process when libuv writes to a peer that is gone. A handler that the program
    /// installed is left in place.
    ///
    /// The signal gets an empty handler instead of being ignored, which child processes would inherit.
    static func catchSIGPIPE() { Platform.catchQuietly(SIGPIPE) }
}
