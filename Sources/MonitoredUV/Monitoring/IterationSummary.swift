/// What an iteration of a loop is made of, by its dispatches in the flight recorder.
struct IterationSummary: Equatable {
    /// When it began. A dispatch that runs past the limit is a stall of its own: what is looked at begins behind it.
    let start: UInt64
    let dispatches: Int
    /// What took most of the time, all dispatches of a name together; `nil` where there is no dispatch.
    let heaviest: Heaviest?

    struct Heaviest: Equatable {
        let name: CallbackName
        let kind: CallbackKind
    }

    /// - Parameters:
    ///   - records: The dispatches that have ended, oldest first.
    ///   - running: The one that is running `now`.
    init(
        from start: UInt64,
        _ records: [FlightRecord],
        running: InFlight.Dispatch? = nil,
        limit: UInt64,
        now: UInt64 = 0
    ) {
        var shares = records.filter { $0.start >= start }.map {
            (start: $0.start, end: $0.end, heaviest: Heaviest(name: $0.name, kind: $0.kind))
        }
        if let running, now > running.start {
            shares.append((running.start, now, Heaviest(name: running.name, kind: running.kind)))
        }
        let ended = records.last { $0.start >= start && $0.wallTime >= limit }
        self.start = ended?.end ?? start
        shares.removeAll { [first = self.start] in $0.start < first }
        dispatches = shares.count
        var times: [CallbackName: (time: UInt64, heaviest: Heaviest)] = [:]
        for share in shares {
            times[share.heaviest.name, default: (0, share.heaviest)].time += share.end - share.start
        }
        heaviest = times.values.max { $0.time < $1.time }?.heaviest
    }
}
