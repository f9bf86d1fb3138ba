import MonitoredUVPlatform

/// Says something on standard error that a program's author must see, where there is nobody to throw to.
func warn(_ message: String) {
    write(toStandardError: "warning: \(message)\n")
}

/// Writes as much as standard error takes; a full disk and a limit of the file's size are no reason to end the process.
func write(toStandardError text: String) {
    var block = SignalBlock(SIGXFSZ)
    defer { block.end() }
    var text = text
    text.withUTF8 { bytes in
        var written = 0
        while written < bytes.count {
            let count = write(STDERR_FILENO, bytes.baseAddress! + written, bytes.count - written)
            if count < 0 && errno == EINTR { continue }
            if count <= 0 { return }
            written += count
        }
    }
}
