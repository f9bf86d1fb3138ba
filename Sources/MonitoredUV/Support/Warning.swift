import MonitoredUVPlatform

/// Prints a warning that the program's author must see on standard error, where an error cannot be thrown.
package func warn(_ message: String) {
    write(toStandardError: "warning: \(message)\n")
}

/// Writes as much as standard error accepts. A full disk or a limit of the file's size does not end the process.
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
