internal import CMonitoredUV

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Files and lines, from the line tables of the program's debug information.
enum SourceLines {
    private static let known = KnownAddresses<(file: String, line: Int)?>()

    /// Looks up all of a stack at once: each file's table is run through for what is not known yet, which takes some
    /// milliseconds.
    static func add(to frames: [(frame: StackFrame, address: UInt)]) -> [StackFrame] {
        let unknown = frames.map(\.address).filter { known[$0] == nil }
        if !unknown.isEmpty {
            var lines = unknown.map { muv_line(address: $0, line: 0, file: nil) }
            muv_lines_find(&lines, Int32(lines.count))
            for line in lines {
                known[line.address] = .some(line.file.map { (file: String(cString: $0), line: Int(line.line)) })
                free(line.file)
            }
        }
        return frames.map { frame, address in
            guard let found = known[address], let (file, line) = found else { return frame }
            var frame = frame
            frame.file = file
            frame.line = line
            return frame
        }
    }
}

/// What has been found out about some addresses of code. Any thread.
final class KnownAddresses<Value: Sendable>: Sendable {
    private let values = Lock<[UInt: Value]>([:])
    private static var most: Int { 4096 }

    /// It is not kept for ever: code comes and goes with libraries.
    subscript(_ address: UInt) -> Value? {
        get { values.withLock { $0[address] } }
        set {
            values.withLock { values in
                if values.count == Self.most { values = [:] }
                values[address] = newValue
            }
        }
    }
}
