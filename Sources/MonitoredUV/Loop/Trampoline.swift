extension LoopCore {
    /// The trampoline: the one way from a C callback to user code, so that every dispatch is reported.
    ///
    /// `body` may do anything to the loop and to the handle that is dispatched; the caller touches neither afterwards
    /// unless libuv's rules keep them alive.
    ///
    /// - Parameter isNext: Within a drain, where dispatches follow each other.
    @inline(__always)
    func dispatch(
        _ kind: CallbackKind,
        _ name: @autoclosure () -> CallbackName,
        _ readiness: @autoclosure () -> Readiness,
        isNext: Bool = false,
        _ body: () -> Void
    ) {
        if _slowPath(activity.isIdle) { stopIdling() }
        // Bytes are read only between a poll and libuv's next look at the clock.
        if kind != .read { currentRun.isTimeStale = true }
        recorder.dispatch(kind, name(), readiness(), held: heldCount, isNext: isNext, body)
    }

    /// Between dispatches: lets go of objects of the program. The monitor of a loop that was released without a close is
    /// not called any more.
    func dispatchDeferredReleases() {
        if !recorder.hasDeferredReleases { return }
        if shutdown.isTearingDown { return recorder.release() }
        recorder.release { name, letGo in dispatch(.release, name, .notApplicable, letGo) }
    }
}
