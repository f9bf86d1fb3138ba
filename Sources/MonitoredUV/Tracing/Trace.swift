import MonitoredUVPlatform

/// The contents of loops' flight recorders, as a trace.
enum Trace {
    /// Returns a trace of the last dispatches of each loop, of those that ended after `start`.
    static func bytes(of loops: [LoopWatchdog], mostRecords: Int = .max, since start: UInt64 = 0) -> [UInt8] {
        let tracks = loops.map { loop in
            let (records, running) = dispatches(of: loop.vitals)
            return TraceWriter.Track(
                name: loop.vitals.name.text,
                records: Array(records.suffix(mostRecords).drop { $0.end < start }),
                running: running,
                stalls: loop.archive.recent
            )
        }
        return TraceWriter.trace(tracks, process: getpid(), now: MonotonicClock.read())
    }

    /// Reads the dispatches that have ended and the one that is running; none is missing, and none appears twice.
    ///
    /// - Parameter pause: Called between any two looks, for tests.
    static func dispatches(
        of vitals: LoopVitals,
        pause: () -> Void = {}
    ) -> (ended: [FlightRecord], running: InFlight.Dispatch?) {
        guard let ring = vitals.metrics?.ring else { return ([], vitals.inFlight.current) }
        let earlier = vitals.inFlight.current
        pause()
        var ended = ring.read()
        pause()
        let running = vitals.inFlight.current
        pause()
        // The one that was running has ended, perhaps after the ring was read.
        if earlier != nil && earlier != running { ended = ring.read() }
        guard let running, let last = ended.last else { return (ended, running) }
        // It may also have ended by now, followed by others. A monitor starts where its dispatch ended.
        let isLast = running.start >= last.end && (running.start > last.start || running.name == .monitor)
        return (ended, isLast ? running : nil)
    }

    /// Keeps the newest records that fit in `limit` bytes.
    static func bytes(of loops: [LoopWatchdog], atMost limit: Int) -> [UInt8] {
        // Each record takes at least a hundred bytes.
        var count = loops.map { $0.vitals.metrics.map { Int(min($0.ring.count, $0.ring.capacity)) } ?? 0 }.max() ?? 0
        count = min(count, limit / 100 / max(1, loops.count))
        while true {
            let bytes = bytes(of: loops, mostRecords: count)
            if bytes.count <= limit || count < 2 { return bytes }
            count = min(count / 2, count / 10 * 9 * limit / bytes.count)
        }
    }
}
