internal import MonitoredUVPlatform

/// A directory for traces that are written automatically, when a stall has ended or on a signal, limited in number and size.
public final class TraceFiles: Sendable {
    /// Where they are, as `monitoreduv-PID-1.json`, `monitoreduv-PID-2.json` and so on.
    public let directory: String
    private let mostFiles: Int
    private let mostBytes: Int
    private let written = Lock(0)

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
        let number = written.withLock { written in
            defer { written += 1 }
            return written % mostFiles + 1
        }
        return "\(directory)/monitoreduv-\(getpid())-\(number).json"
    }

    /// One for each directory that the environment names, so that loops count their files together.
    static func shared(in directory: String) -> TraceFiles {
        all.withLock { all in
            let files = all[directory] ?? TraceFiles(directory: directory)
            all[directory] = files
            return files
        }
    }

    private static let all = Lock<[String: TraceFiles]>([:])

    func write(_ loops: [LoopWatchdog]) {
        let path = nextPath()
        do throws(UVError) {
            try writeFile(Trace.bytes(of: loops, atMost: mostBytes), to: path)
        } catch {
            warn("a trace could not be written: \(error)")
        }
    }
}
