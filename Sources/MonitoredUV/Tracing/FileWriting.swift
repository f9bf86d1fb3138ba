#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Writes a whole file, or none: under another name first, which then takes the place of what was there.
func writeFile(_ bytes: [UInt8], to path: String) throws(UVError) {
    let temporary = "\(path).\(getpid())-\(MonotonicClock.read()).part"
    var descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o644)
    if descriptor < 0 { throw systemError("open", temporary) }
    do throws(UVError) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress! + written, $0.count - written) }
            if count < 0 && errno == EINTR { continue }
            if count < 0 { throw systemError("write", temporary) }
            written += count
        }
        let status = close(descriptor)
        descriptor = -1
        if status != 0 { throw systemError("close", temporary) }
        if rename(temporary, path) != 0 { throw systemError("rename", path) }
    } catch {
        if descriptor >= 0 { close(descriptor) }
        unlink(temporary)
        throw error
    }
}

private func systemError(_ operation: StaticString, _ path: String) -> UVError {
    UVError(.init(rawValue: -errno), operation: "\(operation)", detail: path)
}
