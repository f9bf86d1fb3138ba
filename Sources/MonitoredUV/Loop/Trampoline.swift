internal import CLibUV

/// When a dispatch became ready.
enum Readiness {
    /// At this instant.
    case exact(UInt64)
    /// When the kernel had it, which the poll times bound.
    case io
    /// Hooks wait for nothing.
    case none
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
        if _fastPath(monitor == nil) { return body() }
        let start = begin(name(), start())
        let lag = lag(of: readiness(), start)
        body()
        end(kind, lag, start)
    }

    /// Where libuv calls back and there is no user code to call: what it did so far is its own time.
    func stampLoopCode() { if monitor != nil { meter.leaveLoopCode(at: clock.now(), timeSums) } }

    /// A dispatch starts now, or at `start` where the clock was just read.
    @inline(__always)
    private func begin(_ name: CallbackName, _ start: UInt64?) -> UInt64 {
        currentName = name
        if let start { return start }
        let now = clock.now()
        meter.leaveLoopCode(at: now, timeSums)
        return now
    }

    @inline(__always)
    private func lag(of readiness: Readiness, _ start: UInt64) -> DispatchLag {
        switch readiness {
        case .exact(let ready): .exact(ready: ready, start: start)
        case .io: meter.polls.lag(start: start)
        case .none: .none
        }
    }

    /// Reports the dispatch, unless its body removed the monitor.
    @inline(__always)
    private func end(_ kind: CallbackKind, _ lag: DispatchLag, _ start: UInt64) {
        guard let monitor else { return }
        let wall = meter.endCallback(startedAt: start, at: clock.now(), timeSums)
        let state = IOLoopMonitorState(
            wallTime: wall,
            lag: lag,
            handles: heldCount,
            name: currentName,
            loop: name,
            kind: kind
        )
        monitor._withUnsafeGuaranteedRef { $0.call(state) }
        meter.endMonitor(at: clock.now(), timeSums)
    }
}
