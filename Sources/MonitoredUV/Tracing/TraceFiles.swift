import MonitoredUVPlatform

/// A directory for traces that are written automatically, when a stall has ended or on a signal, limited in number and size.
///
/// The limits hold for one process. All loops of a process count their files in a directory together. Another process has
/// another number in its files' names, so a service that restarts often needs somebody to remove old files.
public final class TraceFiles: Sendable {
    /// The directory of the files `monitoreduv-PID-1.json`, `monitoreduv-PID-2.json`, and so on.
    public let directory: String
    private let mostFiles: Int
    private let mostBytes: Int

    /// - Parameters:
    ///   - directory: Must exist.
    ///   - mostFiles: Then the oldest is replaced.
    ///   - mostBytes: For each file; of more dispatches than fit the last ones are written.
    public init(directory: String, mostFiles: Int = 10, mostBytes: Int = 16 << 20) {
        require(mostFiles > 0 && mostBytes >= 65_536, "TraceFiles needs room for a file of 64 KiB at least")
        self.directory = directory
        self.mostFiles = mostFiles
        self.mostBytes = mostBytes
    }

    /// The path of the next file, which takes the place of the oldest where there are enough.
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
            warn("a trace could not be written: \(error)")
        }
    }
}
