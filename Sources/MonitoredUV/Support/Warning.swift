#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Says something on standard error that a program's author must see, where there is nobody to throw to.
func warn(_ message: String) {
    write(toStandardError: "warning: \(message)\n")
}

func write(toStandardError text: String) {
    _ = text.utf8.withContiguousStorageIfAvailable { write(STDERR_FILENO, $0.baseAddress, $0.count) }
}
