internal import CLibUV

/// When a dispatch became ready.
enum Readiness {
    /// At this instant, in this queue or at this timer.
    case exact(UInt64, LagSource)
    /// When the kernel had it for this handle or request, which the poll times bound.
    case io(UnsafeRawPointer)
    /// Hooks wait for nothing.
    case notApplicable
}

extension LoopCore {
    /// The trampoline: the one way from a C callback to user code, so that every dispatch is reported.
    ///
    /// Unmonitored it costs one branch. `body` may do anything to the loop and to the handle that is dispatched; the
    /// caller touches neither afterwards unless libuv's rules keep them alive.
    @inline(__always)
    func dispatch(
        _ kind: CallbackKind,
        _ name: @autoclosure () -> CallbackName,
        _ readiness: @autoclosure () -> Readiness,
        startedAt start: @autoclosure () -> UInt64? = nil,
        _ body: () -> Void
    ) {
        if _slowPath(isResting) { stopResting() }
        // Bytes are read only between a poll and libuv's next look at the clock.
        if kind != .read { isTimeStale = true }
        if _fastPath(metrics == nil) {
            body()
            if _slowPath(!releases.isEmpty) { releaseDeferred() }
            return
        }
        let name = name()
        let start = start() ?? clock.now()
        if meter.isPolling { leavePoll(at: start) }
        let (lag, source) = lag(of: readiness(), start)
        begin(kind, name, start)
        body()
        end(kind, lag, source, start)
    }

    /// Where libuv calls back and there is no user code to call: what it did so far is its own time.
    func stampLoopCode() { if metrics != nil && meter.isPolling { leavePoll() } }

    @inline(__always)
    private func begin(_ kind: CallbackKind, _ name: CallbackName, _ start: UInt64) {
        currentName = name
        currentKind = kind
        meter.beginCallback(at: start)
        vitals.inFlight.begin(kind, name, at: start)
    }

    @inline(__always)
    private func lag(of readiness: Readiness, _ start: UInt64) -> (DispatchLag, LagSource) {
        switch readiness {
        case .exact(let ready, let source): (.exact(ready: ready, start: start), source)
        case .io(let handle): (meter.ioLag(of: handle, start: start), .io)
        case .notApplicable: (.none, .io)
        }
    }

    /// Notes and reports the dispatch, unless its body put an end to monitoring.
    @inline(__always)
    private func end(_ kind: CallbackKind, _ lag: DispatchLag, _ source: LagSource, _ start: UInt64) {
        if _slowPath(!releases.isEmpty) { releaseDeferred() }
        guard let metrics else { return vitals.inFlight.end() }
        let now = clock.now()
        if monitor == nil { meter.stamp(at: now) } else { meter.beginMonitor(at: now) }
        let wall = now &- start
        let name = currentName
        metrics._withUnsafeGuaranteedRef {
            $0.record(kind, source, name, start: start, wall: wall, lag: lag, probablyReady: meter.polls.probablyReady)
        }
        if _slowPath(wall >= slowLimit) { reportSlow(kind, start, wall) }
        guard let monitor else { return vitals.inFlight.end() }
        vitals.inFlight.begin(kind, .monitor, at: start &+ wall)
        let state = IOLoopMonitorState(
            wallTime: wall,
            lag: lag,
            handles: heldCount,
            name: name,
            loop: self.name,
            kind: kind
        )
        monitor._withUnsafeGuaranteedRef { $0.call(state) }
        if _slowPath(!releases.isEmpty) { releaseDeferred() }
        vitals.inFlight.end()
        // It may have put an end to monitoring.
        if self.metrics != nil { meter.stamp(at: clock.now()) }
    }
}
