/// A writer of recorded dispatches in Chrome's trace format (JSON), for Perfetto and `chrome://tracing`: a track for
/// each loop, a slice for each dispatch.
///
/// The events have few forms, and only names need escaping, so they are assembled as text.
struct TraceWriter {
    /// The part of one loop.
    struct Track {
        let name: String
        let records: [FlightRecord]
        let running: InFlight.Dispatch?
        let stalls: [Stall]
    }

    private var bytes: [UInt8] = []
    private var names: [CallbackName: [UInt8]] = [:]
    private var nextFlow = 0
    private let process: Int32

    /// - Parameters:
    ///   - now: The instant up to which running dispatches are drawn.
    static func trace(_ tracks: [Track], process: Int32, now: UInt64) -> [UInt8] {
        var writer = TraceWriter(process: process)
        writer.bytes.reserveCapacity(256 * tracks.reduce(64) { $0 + $1.records.count })
        writer.append("{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n")
        writer.append(
            "{\"ph\":\"M\",\"pid\":\(process),\"tid\":0,\"name\":\"process_name\",\"args\":{\"name\":\"MonitoredUV\"}}"
        )
        for (index, track) in tracks.enumerated() { writer.add(track, number: index + 1, now) }
        writer.append("\n]}\n")
        return writer.bytes
    }

    private init(process: Int32) { self.process = process }

    private mutating func add(_ track: Track, number: Int, _ now: UInt64) {
        append(",\n{\"ph\":\"M\",\"pid\":\(process),\"tid\":\(number),\"name\":\"thread_name\",\"args\":{\"name\":")
        append(json: track.name)
        append("}}")
        let stalls = Dictionary(
            track.stalls.filter { !$0.id.isIteration }.map { ($0.id.start, $0) },
            uniquingKeysWith: { $1 }
        )
        for (index, record) in track.records.enumerated() {
            slice(record, track: number, stall: stalls[record.start])
            if let source = source(of: record, at: index, in: track.records) { flow(source, record, track: number) }
        }
        guard let running = track.running, now > running.start else { return }
        let unfinished = FlightRecord(
            start: running.start,
            wallTime: now - running.start,
            lag: 0,
            lagPrecision: .notApplicable,
            kind: running.kind,
            name: running.name,
            waiters: 0
        )
        slice(unfinished, track: number, stall: stalls[running.start], isUnfinished: true)
    }

    private mutating func slice(
        _ record: FlightRecord,
        track: Int,
        stall: Stall?,
        isUnfinished: Bool = false
    ) {
        event("X", record.name, stall == nil ? "dispatch" : "stall", track, record.start)
        append(",\"dur\":")
        append(microseconds: record.wallTime)
        append(",\"args\":{\"kind\":\"\(record.kind)\"")
        if record.lagPrecision != .notApplicable {
            append(record.lagPrecision == .exact ? ",\"lag_us\":" : ",\"lag_us_at_most\":")
            append(microseconds: record.lag)
        }
        if record.waiters > 0 { append(",\"kept_waiting\":\(record.waiters)") }
        if isUnfinished { append(",\"unfinished\":true") }
        if let stall {
            if let cause = stall.cause { append(",\"cause\":\"\(cause)\"") }
            if let call = stall.stack.call {
                append(",\"call\":")
                append(json: call)
            }
            append(",\"stack\":")
            append(json: stall.stack.frames.map(\.description).joined(separator: "\n"))
        }
        append("}}")
    }

    /// Returns the dispatch during which this one became ready, if there was one: posted by it, or due while it ran.
    private func source(of record: FlightRecord, at index: Int, in records: [FlightRecord]) -> FlightRecord? {
        guard record.lagPrecision == .exact, record.lag > 0, index > 0 else { return nil }
        // The last one that had begun when this one was ready.
        var low = 0
        var high = index
        while low < high {
            let middle = (low + high) / 2
            if records[middle].start <= record.ready { low = middle + 1 } else { high = middle }
        }
        guard low > 0 else { return nil }
        let source = records[low - 1]
        return record.ready < source.end ? source : nil
    }

    private mutating func flow(_ source: FlightRecord, _ record: FlightRecord, track: Int) {
        nextFlow += 1
        event("s", record.name, "lag", track, record.ready)
        append(",\"id\":\(nextFlow)}")
        event("f", record.name, "lag", track, record.start)
        append(",\"bp\":\"e\",\"id\":\(nextFlow)}")
    }

    private mutating func event(_ phase: String, _ name: CallbackName, _ category: String, _ track: Int, _ at: UInt64) {
        append(",\n{\"ph\":\"")
        append(phase)
        append("\",\"pid\":\(process),\"tid\":\(track),\"cat\":\"")
        append(category)
        append("\",\"name\":")
        append(name: name)
        append(",\"ts\":")
        append(microseconds: at)
    }

    // MARK: Text

    private mutating func append(_ text: String) { bytes.append(contentsOf: text.utf8) }

    /// Appends a name; Perfetto requires one.
    private mutating func append(name: CallbackName) {
        if let known = names[name] { return bytes.append(contentsOf: known) }
        let begin = bytes.count
        append(json: name.text.isEmpty ? "?" : name.text)
        names[name] = Array(bytes[begin...])
    }

    private mutating func append(microseconds nanoseconds: UInt64) {
        append(decimal: nanoseconds / 1000)
        let rest = nanoseconds % 1000
        bytes.append(UInt8(ascii: "."))
        for digit in [rest / 100, rest / 10 % 10, rest % 10] { bytes.append(UInt8(ascii: "0") + UInt8(digit)) }
    }

    private mutating func append(decimal number: UInt64) { append(String(number)) }

    private mutating func append(json text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
            case UInt8(ascii: "\n"): append("\\n")
            case 0..<0x20, 0x7f: append("\\u00" + (byte < 16 ? "0" : "") + String(byte, radix: 16))
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}
