import MonitoredUVPlatform

/// Writes a file that only its owner can read, completely or not at all: first to a temporary name, which then replaces
/// `path`.
///
/// - Parameter keepingDevices: Whether to write to a device, a pipe, or the target of a symbolic link instead of
///   replacing it.
func writeFile(_ bytes: [UInt8], to path: String, keepingDevices: Bool = false) throws(UVError) {
    if keepingDevices, let device = try openDevice(path) { return try write(bytes, to: device, path) }
    let temporary = "\(path).\(getpid())-\(MonotonicClock.read()).part"
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
    if descriptor < 0 { throw systemError("open", temporary) }
    do throws(UVError) {
        try write(bytes, to: descriptor, temporary)
        if rename(temporary, path) != 0 { throw systemError("rename", path) }
    } catch {
        unlink(temporary)
        throw error
    }
}

/// Opens a device or a pipe; returns `nil` for a file, and if nothing exists yet. Fails if no process reads a pipe.
private func openDevice(_ path: String) throws(UVError) -> Int32? {
    var status = stat()
    if lstat(path, &status) != 0 || status.st_mode & S_IFMT == S_IFREG { return nil }
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0o600)
    if descriptor < 0 { throw systemError("open", path) }
    _ = fcntl(descriptor, F_SETFL, 0)
    return descriptor
}

/// Writes all bytes, and closes the descriptor.
private func write(_ bytes: [UInt8], to descriptor: Int32, _ path: String) throws(UVError) {
    var block = SignalBlock(SIGXFSZ)  // exceeding the process's file-size limit is an error like others
    defer { block.end() }
    var written = 0
    while written < bytes.count {
        let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress! + written, $0.count - written) }
        if count < 0 && errno == EINTR { continue }
        if count < 0 {
            let error = systemError("write", path)
            close(descriptor)
            throw error
        }
        written += count
    }
    if close(descriptor) != 0 { throw systemError("close", path) }
}

private func systemError(_ operation: StaticString, _ path: String) -> UVError {
    UVError(.init(rawValue: -errno), operation: "\(operation)", detail: path)
}
