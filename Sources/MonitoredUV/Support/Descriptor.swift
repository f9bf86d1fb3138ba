import MonitoredUVPlatform

/// Descriptors of files and sockets.
enum Descriptor {
    /// Returns and clears the pending error of a socket; 0 if there is none, or if `socket` is not a socket.
    static func socketError(_ socket: Int32) -> Int32 {
        var error: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        return getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : 0
    }

    /// Opens `/dev/null`, or else `/`; returns a negative number if the process is out of descriptors.
    static func placeholder() -> Int32 {
        let null = open("/dev/null", O_RDONLY | O_CLOEXEC)
        if null >= 0 || errno == EMFILE || errno == ENFILE { return null }
        return open("/", O_RDONLY | O_CLOEXEC)
    }

    /// Checks that `count` descriptors are free, for code that aborts the process if they are not. Other threads may
    /// still take them before that code runs.
    ///
    /// - Throws: ``UVError/Code/tooManyOpenFiles`` and ``UVError/Code/tooManyOpenFilesInSystem``.
    static func requireFree(_ count: Int, for operation: StaticString) throws(UVError) {
        var placeholders: [Int32] = []
        defer { placeholders.forEach(Platform.close) }
        for _ in 0..<count {
            let new = placeholder()
            if new >= 0 {
                placeholders.append(new)
            } else if errno == EMFILE || errno == ENFILE {
                throw UVError(UVError.Code(rawValue: -errno), operation: "\(operation)")
            }
        }
    }
}
