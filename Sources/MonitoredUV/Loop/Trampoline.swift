extension LoopCore {
    /// Calls user code from a C callback. This is the only way from one to the other, so that every dispatch is
    /// reported.
    ///
    /// `body` may do anything to the loop and to the dispatched handle; the caller touches neither afterward unless
    /// libuv's rules keep them alive.
    ///
    /// - Parameter isNext: Whether this is within a drain, where dispatches follow each other.
    @inline(__always)
    func dispatch(
        _ kind: CallbackKind,
        _ name: @autoclosure () -> CallbackName,
        _ readiness: @autoclosure () -> Readiness,
        isNext: Bool = false,
        _ body: () -> Void
    ) {
        if _slowPath(activity.isIdle) { stopIdling() }
        // Streams are read only between a poll and the next time libuv reads the clock.
        if kind != .read { currentRun.isTimeStale = true }
        recorder.dispatch(kind, name(), readiness(), held: heldCount, isNext: isNext, body)
    }

    /// Releases objects of the program, between dispatches. The monitor of a loop that was released without a close is
    /// no longer called.
    func dispatchDeferredReleases() {
        if !recorder.hasDeferredReleases { return }
        if shutdown.isTearingDown { return recorder.release() }
        recorder.release { name, letGo in dispatch(.release, name, .notApplicable, letGo) }
    }
}
