import CMonitoredUV
import Synchronization

/// The watchdog of one loop, which finds stalls and notifies the listeners.
///
/// A stall takes one path: the loop's thread leaves what took too long in ``ended``, or the watchdog thread sees it
/// while it lasts; each listener's rules turn it into a sighting; the archive has the one ``Stall`` of all these
/// sightings, for which the sampler captures the stack; and a report goes to the listener.
final class LoopWatchdog: Sendable {
    let vitals: LoopVitals
    let thread = RunThread()
    let listeners = StallListeners()
    let archive = StallArchive()
    /// For loops that this library does not run.
    let profile: LoopProfile?
    private let probe: LoopProbe?
    private let ended = EndedStalls()
    private let droppedCount = Atomic<Int>(0)

    init(_ vitals: LoopVitals, profile: LoopProfile? = nil, probe: LoopProbe? = nil) {
        self.vitals = vitals
        self.profile = profile
        self.probe = probe
    }

    // MARK: Any thread

    /// The number of reports that were not delivered.
    var dropped: Int { droppedCount.load(ordering: .relaxed) }

    private func drop() { droppedCount.wrappingAdd(1, ordering: .relaxed) }

    // MARK: Loop thread

    /// Hands over a dispatch or an iteration that ran for longer than the shortest limit.
    func append(_ new: EndedStalls.Entry) {
        if !ended.add(new) { drop() }
        WatchdogThread.shared.wake()
    }

    // MARK: Watchdog thread

    /// Looks at the loop once, and returns when to look again. `late` is set if this look was late.
    func look(at now: UInt64, _ late: SuspensionDetector.Lateness?, _ sampler: inout StackSampler) -> UInt64 {
        let listeners = listeners.all
        // Read before the ended ones: a dispatch that ends in between is among those.
        let running = vitals.inFlight.current
        let iteration = vitals.time.iterationStart
        var suspendedSince: UInt64?
        if case .suspended(let since) = late {
            suspendedSince = since
            listeners.forEach { $0.resetDeadline(at: now) }
        }
        let ended = ended.takeAll()
        if !ended.isEmpty { sampler.finish(self) }  // reports that wait for a stack come first
        for ended in ended { notifyEnd(ended, suspendedSince, now, listeners) }
        for listener in listeners { notifyUnannounced(running, iteration, ended, now, listener, &sampler) }
        var next = UInt64.max
        for listener in listeners {
            let isStarved = late == .starved
            let findings = [
                listener.observe(running, at: now, isStarved: isStarved, usage: thread.readUsage),
                listener.observeIteration(
                    since: iteration,
                    running: running,
                    at: now,
                    isStarved: isStarved,
                    usage: thread.readUsage,
                    summary: { summary(from: $0, running: running, limit: listener.limit, now) }
                ),
            ]
            for case let (phase, sighting)? in findings where !muv_is_traced() {
                guard let suppressed = admit(sighting, listener, now) else { continue }
                let stall = archive.add(sighting.id, sighting.cause)
                sampler.sample(self, stall, at: now) { [self] in deliver(listener, phase, sighting, stall, suppressed) }
            }
            next = min(next, listener.nextLook(after: now))
        }
        return min(next, sampleProfile(running, late, at: now, &sampler))
    }

    /// Takes a sample of what the loop does, if one is due, and returns when to look again.
    private func sampleProfile(
        _ running: InFlight.Dispatch?,
        _ late: SuspensionDetector.Lateness?,
        at now: UInt64,
        _ sampler: inout StackSampler
    ) -> UInt64 {
        guard let profile else { return .max }
        // The time in which the whole process did not run, or was examined, belongs to no function.
        if case .suspended = late { profile.skip(until: now) }
        let (span, next) = profile.look(at: running, vitals.metrics?.ring.count ?? 0, now: now)
        guard let running, let span else { return next }
        if muv_is_traced() {
            profile.skip(until: now)
            return next
        }
        probe?.send()
        let isTaken = sampler.profile(self, running, at: now) { sample in
            WatchdogThread.shared.addSample { profile.add(sample, of: running.start, span: span) }
        }
        if isTaken { profile.skip(until: now) }
        return next
    }

    /// Whether the loop is where it was when the stall began: it may have left that dispatch, or be between two of the
    /// iteration.
    func isStuck(in id: StallID) -> Bool {
        let current = vitals.inFlight.current
        return id.isIteration ? current != nil && vitals.time.iterationStart == id.start : current?.start == id.start
    }

    /// Summarizes the iteration that began at `start`, up to `now`.
    private func summary(
        from start: UInt64,
        running: InFlight.Dispatch?,
        limit: UInt64,
        _ now: UInt64
    ) -> IterationSummary {
        let metrics = vitals.metrics
        return IterationSummary(
            from: start,
            to: now,
            metrics?.ring.read(since: start) ?? [],
            running: running,
            dispatches: (metrics?.dispatchesOfIteration ?? 0) + (running == nil ? 0 : 1),
            limit: limit
        )
    }

    private func notifyEnd(
        _ ended: EndedStalls.Entry,
        _ suspendedSince: UInt64?,
        _ now: UInt64,
        _ listeners: [StallListener]
    ) {
        let isKnown = archive.recent.contains { (ended.start...ended.end).contains($0.id.start) }
        if !isKnown && muv_is_traced() { return }
        for listener in listeners {
            // A duration across a suspension of the process is meaningless, but a stall that was reported still needs
            // an end.
            if let suspendedSince, ended.end >= suspendedSince, !listener.hasReported(ended.start) { continue }
            guard let sighting = sighting(of: ended, for: listener, now) else { continue }
            if listener.isCounted, let cause = sighting.cause { archive.count(sighting.id, cause, sighting.duration) }
            guard let suppressed = admit(sighting, listener, now) else { continue }
            deliver(listener, .ended, sighting, archive[sighting.id], suppressed)
        }
    }

    private func sighting(
        of ended: EndedStalls.Entry,
        for listener: StallListener,
        _ now: UInt64
    ) -> StallTracker.Sighting? {
        switch ended {
        case .dispatch(let dispatch, let wall):
            listener.ended(dispatch, wall: wall, at: now, usage: thread.readUsage)
        case .iteration(let summary):
            listener.ended(summary, at: now, usage: thread.readUsage)
        }
    }

    /// Reports stalls that the loop's thread does not: dispatches that began before it knew of the limit, and its
    /// monitor, because checking that would cost something for each dispatch.
    private func notifyUnannounced(
        _ running: InFlight.Dispatch?,
        _ iteration: UInt64?,
        _ ended: [EndedStalls.Entry],
        _ now: UInt64,
        _ listener: StallListener,
        _ sampler: inout StackSampler
    ) {
        if let (gone, wasReported) = listener.gone(running: running, at: now) {
            let records = vitals.metrics?.ring.read(since: gone.start) ?? []
            let record = records.first { $0.start == gone.start && gone.name != .monitor }
            if wasReported || record != nil {
                sampler.finish(self)  // reports that wait for a stack come first
                let wall = record?.wallTime ?? lastInstant(of: gone, records, running, ended, now) - gone.start
                notifyEnd(.dispatch(gone, wall: wall), nil, now, [listener])
            }
        }
        if let gone = listener.goneIteration(iteration) {
            sampler.finish(self)
            let summary = summary(
                from: gone.start,
                running: nil,
                limit: listener.limit,
                max(iteration ?? now, gone.start)
            )
            notifyEnd(.iteration(summary), nil, now, [listener])
        }
    }

    /// Returns the latest instant at which a dispatch that is not in the flight recorder can have ended: when the next
    /// one began, or the iteration ended.
    private func lastInstant(
        of gone: InFlight.Dispatch,
        _ records: [FlightRecord],
        _ running: InFlight.Dispatch?,
        _ ended: [EndedStalls.Entry],
        _ now: UInt64
    ) -> UInt64 {
        let iteration = ended.first { ($0.start..<$0.end).contains(gone.start) }
        let candidates = [records.first { $0.start > gone.start }?.start, iteration?.end, running?.start, now]
        return max(gone.start, candidates.compactMap { $0 }.filter { $0 > gone.start }.min() ?? now)
    }

    /// Returns the number of stalls not reported before this one; `nil` if this one is not to be reported, either.
    private func admit(_ sighting: StallTracker.Sighting, _ listener: StallListener, _ now: UInt64) -> Int? {
        switch listener.admit(sighting, at: now) {
        case .admitted(let suppressed): return suppressed
        case .refusedBefore: return nil
        case .refused:
            drop()
            return nil
        }
    }

    /// Delivers a report to the listener: at once if the listener is direct, otherwise on the reporting thread, so that
    /// the watchdog thread only has to look.
    private func deliver(
        _ listener: StallListener,
        _ phase: StallReport.Phase,
        _ sighting: StallTracker.Sighting,
        _ stall: Stall?,
        _ suppressed: Int
    ) {
        let report = StallReport(phase, sighting, of: vitals.name, limit: listener.limit, suppressed: suppressed)
        if listener.isDirect { return listener.notify(report) }
        let isQueued = WatchdogThread.shared.report { listener.notify(stall.map { report.with($0.stack) } ?? report) }
        if !isQueued { drop() }
    }
}
