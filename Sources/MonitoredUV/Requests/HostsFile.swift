#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The hosts that this machine knows by itself, `localhost` among them.
enum HostsFile {
    /// Whether `/etc/hosts` has an address for `host`. Reads the file, whatever its age.
    static func lists(_ host: String) -> Bool { lists(host, in: bytes(of: "/etc/hosts")) }

    static func lists(_ host: String, in file: [UInt8]) -> Bool {
        let host = Array(host.utf8)
        return file.split(separator: UInt8(ascii: "\n")).contains { line in
            let words = line.prefix { $0 != UInt8(ascii: "#") }.split { [0x20, 0x09, 0x0D].contains($0) }
            return words.dropFirst().contains { $0.elementsEqual(host) { lowercase($0) == lowercase($1) } }
        }
    }

    private static func lowercase(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }

    /// Empty if the file cannot be read.
    private static func bytes(of path: String) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        if descriptor < 0 { return [] }
        defer { close(descriptor) }
        var file: [UInt8] = []
        while true {
            let chunk = [UInt8](unsafeUninitializedCapacity: 16_384) { buffer, count in
                repeat { count = read(descriptor, buffer.baseAddress, buffer.count) } while count < 0 && errno == EINTR
                count = max(count, 0)
            }
            if chunk.isEmpty { return file }
            file += chunk
        }
    }
}
