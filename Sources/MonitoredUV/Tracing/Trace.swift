#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// What the flight recorders of loops hold, as a trace.
enum Trace {
    /// The last dispatches of each loop.
    static func bytes(of loops: [LoopWatch], mostRecords: Int = .max) -> [UInt8] {
        let tracks = loops.map { loop in
            // What is running before what has ended, so that no dispatch is missed; it may be in both.
            let running = loop.vitals.inFlight.current
            let records = loop.vitals.metrics?.ring.read().suffix(mostRecords) ?? []
            return TraceWriter.Track(
                name: loop.vitals.name.text,
                records: Array(records),
                running: records.contains { $0.start == running?.start } ? nil : running,
                marks: loop.recentMarks
            )
        }
        return TraceWriter.trace(tracks, process: getpid(), now: MonotonicClock.read())
    }

    /// Of more than fit into so many bytes the last ones.
    static func bytes(of loops: [LoopWatch], atMost limit: Int) -> [UInt8] {
        // At a hundred bytes each at least.
        var count = loops.map { $0.vitals.metrics.map { Int(min($0.ring.count, $0.ring.capacity)) } ?? 0 }.max() ?? 0
        count = min(count, limit / 100)
        while true {
            let bytes = bytes(of: loops, mostRecords: count)
            if bytes.count <= limit || count < 2 { return bytes }
            count = min(count / 2, count / 10 * 9 * limit / bytes.count)
        }
    }
}
