import CMonitoredUV
import MonitoredUVPlatform

/// Files and lines, from the line tables of the program's debug information.
enum SourceLines {
    private static let known = KnownAddresses<(file: String, line: Int)?>()

    /// Looks up all frames of a stack at once: each file's table is scanned for unknown addresses, which takes some
    /// milliseconds.
    static func add(to frames: [(frame: StackFrame, address: UInt)]) -> [StackFrame] {
        var places = frames.map { known[$0.address] }
        let unknown = places.indices.filter { places[$0] == nil }
        if !unknown.isEmpty {
            var lines = unknown.map { muv_line(address: frames[$0].address, line: 0, file: nil) }
            muv_lines_find(&lines, Int32(lines.count))
            for (index, line) in zip(unknown, lines) {
                places[index] = .some(line.file.map { (file: String(cString: $0), line: Int(line.line)) })
                known[line.address] = places[index]
                free(line.file)
            }
        }
        return zip(frames, places).map { frame, place in
            guard case (let file, let line)?? = place else { return frame.frame }
            var frame = frame.frame
            frame.file = file
            frame.line = line
            return frame
        }
    }
}

/// A cache of lookup results by code address. Any thread.
final class KnownAddresses<Value: Sendable>: Sendable {
    private struct Key: Hashable {
        let address: UInt
        /// Distinguishes a library from one that was unloaded from the same addresses.
        let code: UInt64

        init(_ address: UInt) {
            self.address = address
            code = muv_code_identity(address)
        }
    }

    private let values = Lock<[Key: Value]>([:])
    private static var most: Int { 4096 }

    subscript(_ address: UInt) -> Value? {
        get {
            let key = Key(address)
            return values.withLock { $0[key] }
        }
        set {
            let key = Key(address)
            values.withLock { values in
                if values.count == Self.most && values[key] == nil { values = [:] }
                values[key] = newValue
            }
        }
    }
}
