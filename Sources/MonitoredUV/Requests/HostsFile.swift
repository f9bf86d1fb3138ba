import MonitoredUVPlatform

/// The hosts that this machine resolves by itself, such as `localhost`, from a file such as `/etc/hosts`. Any thread.
///
/// The file is reread when it has changed. Only a hash of each name is kept.
final class HostsFile: Sendable {
    static let system = HostsFile("/etc/hosts")

    private struct Version: Equatable {
        let device: UInt64
        let number: UInt64
        let size: Int64
        let changed: [Int]

        init(_ status: stat) {
            device = UInt64(truncatingIfNeeded: status.st_dev)
            number = UInt64(truncatingIfNeeded: status.st_ino)
            size = Int64(status.st_size)
            let time = Platform.modificationTime(status)
            changed = [time.tv_sec, time.tv_nsec]
        }
    }

    private let path: String
    private let known = Lock<(version: Version?, names: Set<UInt64>)>((nil, []))

    init(_ path: String) { self.path = path }

    /// Returns whether the file has an address for `host`.
    ///
    /// - Throws: ``UVError/Code/tooManyOpenFiles`` and ``UVError/Code/tooManyOpenFilesInSystem``. A file that cannot be
    ///   read for any other reason lists nothing.
    func lists(_ host: String) throws(UVError) -> Bool {
        let hash = Self.hash(host.utf8)
        var status = stat()
        if stat(path, &status) != 0 || status.st_mode & S_IFMT != S_IFREG { return false }
        let version = Version(status)
        let isListed = known.withLock { $0.version == version ? $0.names.contains(hash) : nil }
        if let isListed { return isListed }
        let names = Self.names(in: try bytes())
        known.withLock { $0 = (version, names) }
        return names.contains(hash)
    }

    /// Returns the hashes of all names that have an address.
    static func names(in file: [UInt8]) -> Set<UInt64> {
        var names: Set<UInt64> = []
        for line in file.split(separator: UInt8(ascii: "\n")) {
            let words = line.prefix { $0 != UInt8(ascii: "#") }.split { [0x20, 0x09, 0x0D].contains($0) }
            guard let address = words.first, isAddress(address) else { continue }
            names.formUnion(words.dropFirst().map { hash($0) })
        }
        return names
    }

    private static func isAddress(_ word: ArraySlice<UInt8>) -> Bool {
        (try? UVSocketAddress(String(decoding: word, as: UTF8.self), port: 0)) != nil
    }

    /// Returns the FNV-1a hash of the name in lowercase.
    static func hash(_ name: some Sequence<UInt8>) -> UInt64 {
        name.reduce(0xCBF2_9CE4_8422_2325) { hash, byte in
            let lowercase = (0x41...0x5A).contains(byte) ? byte | 0x20 : byte
            return (hash ^ UInt64(lowercase)) &* 0x100_0000_01B3
        }
    }

    private static let mostBytes = 16 << 20

    /// Returns the first 16 MiB of the file; empty if it cannot be read.
    private func bytes() throws(UVError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        if descriptor < 0 {
            if errno != EMFILE && errno != ENFILE { return [] }
            throw UVError(UVError.Code(rawValue: -errno), operation: "open", detail: path)
        }
        defer { close(descriptor) }
        var file: [UInt8] = []
        while file.count < Self.mostBytes {
            let chunk = [UInt8](unsafeUninitializedCapacity: 65_536) { buffer, count in
                repeat { count = read(descriptor, buffer.baseAddress, buffer.count) } while count < 0 && errno == EINTR
                count = max(count, 0)
            }
            if chunk.isEmpty { break }
            file += chunk
        }
        return file
    }
}
