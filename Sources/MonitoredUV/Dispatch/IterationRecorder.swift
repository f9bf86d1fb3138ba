/// The recorder of a loop that this library does not run. Whatever sees that loop enter and leave its poll says so
/// here; an iteration, from the return of one poll to the start of the next, is one dispatch. It belongs to the loop's
/// thread.
///
/// Nothing of the program's own runs within ``enterPoll(timeout:)``: the loop has already decided how long to wait, and
/// would not notice a task that a monitor gives it.
package final class IterationRecorder: ForeignRecorder {
    /// An iteration, or what is left of one beside the dispatches of events.
    private struct Part {
        var start: UInt64
        var lag: DispatchLag
        var isOpen: Bool
    }

    private let profile: LoopProfile
    @exclusivity(unchecked) private var part = Part(start: 0, lag: .notApplicable, isOpen: false)
    /// The last iteration, until the monitor is called with it.
    @exclusivity(unchecked) private var unreported: IOLoopMonitorState?
    @exclusivity(unchecked) private var unopened: ((ForeignLoop) -> Void)?
    @exclusivity(unchecked) private var isPolling = false
    /// Whether a dispatch of an event is under way.
    @exclusivity(unchecked) private var isInEvent = false

    private static let current = ThreadLocal<IterationRecorder>()

    /// The recorder of the loop that this thread runs; `nil` if there is none. Whoever made it keeps it alive until it is
    /// closed.
    package private(set) static var ofLoop: IterationRecorder? {
        get { current.value }
        set { current.value = newValue }
    }

    /// Forgets what this thread runs, in a copy of the process that was made by `fork`.
    package static func forget() {
        ofLoop = nil
        ofThread = nil
    }

    /// Creates the recorder of the loop that this thread runs.
    ///
    /// - Parameters:
    ///   - name: The loop's name; if another loop has it, a suffix is added.
    ///   - isProbed: Whether the loop may be given empty tasks, to measure how long they wait.
    ///   - submit: Hands the loop a closure.
    ///   - open: Called before the first iteration, and may call code of the program.
    package init(
        name: String,
        isProbed: Bool = true,
        submit: @escaping ForeignLoop.Submit,
        open: @escaping (ForeignLoop) -> Void
    ) {
        let loop = ForeignLoop(name: name, isSampled: true, isProbed: isProbed, submit)
        profile = loop.watchdog.profile!
        unopened = open
        super.init(loop)
        Self.ofLoop = self
        Self.ofThread = self
    }

    // MARK: Iterations

    /// Ends the last iteration, because the loop is about to poll for `timeout` nanoseconds at most; `.max` if there is
    /// no limit, or it will not block.
    package func enterPoll(timeout: @autoclosure () -> UInt64) {
        if isPolling { return }  // a poll that a signal has interrupted is made again
        isPolling = true
        var now: UInt64 = 0
        if recorder.isOn {
            now = recorder.clock.now()
            if endPart(at: now), let state = last(until: now) { unreported = state }
            if let waited = loop.probe.take() { recorder.recordLag(.probe, waited) }
        }
        loop.setPolling(true)
        if loop.takeNewSettings() {
            recorder.applySettings()
            now = recorder.clock.now()
        }
        if recorder.isOn { recorder.enterPoll(at: now, timeout: timeout(), mayWrite: false, mayRepeat: false) }
    }

    /// Begins an iteration, because the poll has returned.
    package func leavePoll() {
        guard isPolling else { return }
        isPolling = false
        loop.setPolling(false)
        if loop.takeNewSettings() { recorder.applySettings() }
        if unreported != nil || recorder.hasDeferredReleases || unopened != nil { runDeferred() }
        guard recorder.isOn else { return }
        beginPart(Self.readiness(of: self), at: recorder.clock.now())
        if profile.isAsleep { wakeProfile() }
    }

    /// Runs `body`, which handles an event of `source` in the iteration, as a dispatch of its own, unless it is called
    /// within another.
    package func dispatch(
        _ kind: CallbackKind,
        _ name: @autoclosure () -> CallbackName,
        of source: AnyObject,
        _ body: () -> Void
    ) {
        if !part.isOpen || isInEvent { return body() }
        let now = recorder.clock.now()
        if endPart(at: now), let state = last(until: now) { recorder.report(state) }
        let start = recorder.lastStamp
        let lag = recorder.open(kind, name(), Self.readiness(of: source), at: start)
        isInEvent = true
        body()
        isInEvent = false
        let end = recorder.clock.now()
        recorder.finish(kind, lag, from: start, until: end)
        if let state = recorder.unreported(kind, lag, from: start, until: end) { recorder.report(state) }
        beginPart(.notApplicable, at: recorder.lastStamp)
    }

    /// Counts the tasks that the loop has run in this iteration.
    package func addTasks(_ count: Int) {
        loop.vitals.tasks.add(count)
        loop.vitals.tasksPeak.raise(to: count)
    }

    /// Closes the recorder, because the loop has ended. On its thread.
    package func close() {
        if loop.isClosed { return }
        if recorder.isOn && !isPolling {
            let now = recorder.clock.now()
            if endPart(at: now), let state = last(until: now) { recorder.report(state) }
        }
        Self.ofLoop = nil
        if Self.ofThread === self { Self.ofThread = nil }
        leaveThread()
        recorder.close()
        loop.close()
        recorder.release()
    }

    @inline(never)
    private func wakeProfile() {
        profile.wake()
        WatchdogThread.shared.wake()
    }

    @inline(__always)
    private static func readiness(of source: AnyObject) -> Readiness {
        .io(UnsafeRawPointer(Unmanaged.passUnretained(source).toOpaque()))
    }

    @inline(__always)
    private func beginPart(_ readiness: Readiness, at start: UInt64) {
        part = Part(start: start, lag: recorder.open(.iteration, .iteration, readiness, at: start), isOpen: true)
    }

    /// Ends the part of an iteration that is under way, if there is one.
    @inline(__always)
    private func endPart(at now: UInt64) -> Bool {
        if !part.isOpen { return false }
        part.isOpen = false
        if _slowPath(now &- part.start >= LoopProfile.shortest) { nameLongPart() }
        recorder.finish(.iteration, part.lag, from: part.start, until: now)
        return true
    }

    @inline(never)
    private func nameLongPart() {
        if recorder.lacksFiles { recorder.renewThread() }
        if recorder.currentName == .iteration, let name = profile.name(of: part.start) { recorder.rename(name) }
    }

    /// Returns what the monitor must be called with for the part that ended last.
    @inline(__always)
    private func last(until now: UInt64) -> IOLoopMonitorState? {
        recorder.unreported(.iteration, part.lag, from: part.start, until: now)
    }

    /// Runs what was not to run before the poll.
    @inline(never)
    private func runDeferred() {
        recorder.stampLoopCode()
        if let open = unopened.take() {
            open(loop)
            if loop.takeNewSettings() { recorder.applySettings() }
        }
        let state = unreported
        unreported = nil
        if let state, recorder.isOn { recorder.report(state) }
        recorder.release()
    }
}
