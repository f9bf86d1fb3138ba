#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Writes a whole file, or none, which only its owner can read: under another name first, which then takes the place of
/// what was there. A device or a pipe is written to as it is.
func writeFile(_ bytes: [UInt8], to path: String) throws(UVError) {
    if !isFileOrNothing(path) { return try write(bytes, to: path, O_WRONLY) }
    let temporary = "\(path).\(getpid())-\(MonotonicClock.read()).part"
    do throws(UVError) {
        try write(bytes, to: temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW)
        if rename(temporary, path) != 0 { throw systemError("rename", path) }
    } catch {
        unlink(temporary)
        throw error
    }
}

private func isFileOrNothing(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) != 0 || status.st_mode & S_IFMT == S_IFREG
}

private func write(_ bytes: [UInt8], to path: String, _ flags: Int32) throws(UVError) {
    var block = SignalBlock(SIGXFSZ)  // a file that grows too large for the process's limit is an error like others
    defer { block.end() }
    var descriptor = open(path, flags | O_CLOEXEC, 0o600)
    if descriptor < 0 { throw systemError("open", path) }
    defer { if descriptor >= 0 { close(descriptor) } }
    var written = 0
    while written < bytes.count {
        let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress! + written, $0.count - written) }
        if count < 0 && errno == EINTR { continue }
        if count < 0 { throw systemError("write", path) }
        written += count
    }
    let status = close(descriptor)
    descriptor = -1
    if status != 0 { throw systemError("close", path) }
}

private func systemError(_ operation: StaticString, _ path: String) -> UVError {
    UVError(.init(rawValue: -errno), operation: "\(operation)", detail: path)
}
