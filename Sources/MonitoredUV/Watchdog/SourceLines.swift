internal import CMonitoredUV

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Files and lines, from the line tables of the program's debug information.
enum SourceLines {
    /// Looks up all of a stack at once: each file's table is run through for that, which takes some milliseconds.
    static func add(to frames: [(frame: StackFrame, address: UInt)]) -> [StackFrame] {
        var lines = frames.map { muv_line(address: $0.address, line: 0, file: nil) }
        muv_lines_find(&lines, Int32(lines.count))
        return zip(frames, lines).map { frame, line in
            guard let file = line.file else { return frame.frame }
            defer { free(file) }
            var frame = frame.frame
            frame.file = String(cString: file)
            frame.line = Int(line.line)
            return frame
        }
    }
}
