import MonitoredUVPlatform

/// A directory for traces that are written automatically: when a stall has ended, or on a signal. Limited in number and
/// size.
///
/// The limit on the number applies to one process ID: to the files of all loops together, and to those of earlier
/// processes with the same ID, as in a container that restarts. The traces of a process that crashed stay until newer ones
/// replace them. Files with other process IDs are left alone, so remove old files of a service that restarts often.
public final class TraceFiles: Sendable {
    /// The directory of the files, each named `monitoreduv-PID-TIME.json` after the UTC time at which it was written, such
    /// as `monitoreduv-1-20260102T030405.678901Z.json`.
    public let directory: String
    private let mostFiles: Int
    private let mostBytes: Int

    /// Creates the description of a directory; files are created when there is something to write.
    ///
    /// - Parameters:
    ///   - directory: The directory, which must exist and be readable.
    ///   - mostFiles: The maximum number of files, at least 1; after that, each new file replaces the oldest. 0 or less
    ///     traps.
    ///   - mostBytes: The maximum size of each file, at least 65,536; less traps. If more dispatches were recorded than
    ///     fit, the last ones are written.
    public init(directory: String, mostFiles: Int = 10, mostBytes: Int = 16 << 20) {
        require(
            mostFiles > 0 && mostBytes >= 65_536,
            "TraceFiles: mostFiles must be at least 1 and mostBytes at least 65,536"
        )
        self.directory = directory
        self.mostFiles = mostFiles
        self.mostBytes = mostBytes
    }

    func write(_ loops: [LoopWatchdog]) {
        let prefix = "monitoreduv-\(getpid())-"
        do throws(UVError) {
            let older = try files(withPrefix: prefix)
            let path = "\(directory)/\(prefix)\(Self.timestamp()).json"
            try writeFile(Trace.bytes(of: loops, atMost: mostBytes), to: path)
            for name in older.dropLast(mostFiles - 1) { unlink("\(directory)/\(name)") }
        } catch {
            warn("a trace could not be written: \(error). Check that the directory exists, is writable, and has room.")
        }
    }

    /// Returns the names of this process's files and of earlier ones with the same ID, oldest first.
    private func files(withPrefix prefix: String) throws(UVError) -> [String] {
        guard let entries = opendir(directory) else {
            throw UVError(.init(rawValue: -errno), operation: "opendir", detail: directory)
        }
        defer { closedir(entries) }
        var names: [String] = []
        while let entry = readdir(entries) {
            let name = UnsafeRawPointer(entry.pointer(to: \.d_name)!).assumingMemoryBound(to: CChar.self)
            names.append(String(cString: name))
        }
        return names.filter { $0.hasPrefix(prefix) && $0.hasSuffix(".json") }.sorted()
    }

    /// Returns the current time in UTC, such as `20260102T030405.678901Z`.
    private static func timestamp() -> String {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        var fields = tm()
        gmtime_r(&now.tv_sec, &fields)
        let time = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 32) { buffer in
            strftime(buffer.baseAddress!, buffer.count, "%Y%m%dT%H%M%S", &fields)
            return String(cString: buffer.baseAddress!)
        }
        return "\(time).\(String(1_000_000 + now.tv_nsec / 1000).dropFirst())Z"
    }
}
