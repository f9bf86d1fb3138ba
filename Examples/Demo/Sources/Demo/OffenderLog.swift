import MonitoredUV

/// Says of each callback that ran too long where it was registered, and how many others waited for it.
final class OffenderLog {
    private let loop: UVEventLoop
    private let limit: Duration
    private let report: (String) -> Void
    private var offender: Offender?

    private struct Offender {
        let text: String
        let end: ContinuousClock.Instant
        var waited = 0
        var longest = Duration.zero
    }

    init(on loop: UVEventLoop, limit: Duration, report: @escaping (String) -> Void) {
        self.loop = loop
        self.limit = limit
        self.report = report
    }

    /// To be called with each dispatch as the monitor sees it, right after it ended.
    func record(_ state: borrowing IOLoopMonitorState) {
        let isOffender = state.callbackWallTime > limit
        guard isOffender || offender != nil else { return }
        let now = ContinuousClock.now
        if var followed = offender {
            let ready = now - state.callbackWallTime - state.loopLag
            if ready < followed.end {
                followed.waited += 1
                followed.longest = max(followed.longest, state.loopLag)
                offender = followed
            } else {
                finish()
            }
        }
        if isOffender {
            finish()
            let text = "Blocked \(state.callbackWallTime.brief) in \(state.callbackPrettyName)"
            offender = Offender(text: text, end: now)
            // Those who wait have their turn right after; with nobody there the report comes all the same.
            let following = now
            loop.callLater(.milliseconds(20)) { [unowned self] _ in
                if offender?.end == following { finish() }
            }.name = "report"
        }
    }

    /// Reports what is still being followed.
    func finish() {
        guard let offender else { return }
        self.offender = nil
        let waited =
            "\(offender.waited) callback\(offender.waited == 1 ? "" : "s") waited up to \(offender.longest.brief)"
        report("\(offender.text); \(offender.waited == 0 ? "nobody waited" : waited)")
    }
}
