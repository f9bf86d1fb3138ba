import MonitoredUVPlatform

/// A directory for traces that are written automatically: when a stall has ended, or on a signal. Limited in number and
/// size.
///
/// The limits apply to one process. The files that all loops of a process write to a directory are counted together.
/// Another process has another number in its file names, so remove old files of a service that restarts often.
public final class TraceFiles: Sendable {
    /// The directory of the files `monitoreduv-PID-1.json`, `monitoreduv-PID-2.json`, and so on.
    public let directory: String
    private let mostFiles: Int
    private let mostBytes: Int

    /// Creates the description of a directory; files are created when there is something to write.
    ///
    /// - Parameters:
    ///   - directory: The directory, which must exist.
    ///   - mostFiles: The maximum number of files, at least 1; after that, the oldest is replaced. 0 or less traps.
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

    /// Returns the path of the next file, which replaces the oldest if there are enough.
    private func nextPath() -> String {
        let number = Self.written.withLock { written in
            let number = written[directory, default: 0] % mostFiles + 1
            written[directory] = number
            return number
        }
        return "\(directory)/monitoreduv-\(getpid())-\(number).json"
    }

    /// The number of the last file in each directory, whichever loop wrote it.
    private static let written = Lock<[String: Int]>([:])

    func write(_ loops: [LoopWatchdog]) {
        let path = nextPath()
        do throws(UVError) {
            try writeFile(Trace.bytes(of: loops, atMost: mostBytes), to: path)
        } catch {
            warn("a trace could not be written: \(error). Check that the directory exists, is writable, and has room.")
        }
    }
}
