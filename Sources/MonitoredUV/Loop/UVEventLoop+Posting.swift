extension UVEventLoop {
    /// Runs `body` on the loop, in the order of the calls of each thread. Any thread; the loop's own needs no wake-up,
    /// and many calls from another thread between two iterations of the loop cost one.
    ///
    /// The loop drains its queue before and after each poll. A drain runs what was queued when it began; what that
    /// posts waits for the next, so that I/O and timers get their turn. A closure that comes after the run has ended
    /// waits for the next run. Posting to a closed loop traps.
    ///
    /// The corresponding libuv function is `uv_async_send`.
    public func execute(
        file: StaticString = #fileID,
        line: UInt = #line,
        function: StaticString = #function,
        _ body: @escaping @Sendable () -> Void
    ) {
        post(CallSite(file, line, function), sendable: body)
    }

    /// The same under a `name` that the monitor shows, instead of the place of the call.
    public func execute(_ name: StaticString, _ body: @escaping @Sendable () -> Void) {
        post(CallSite(named: name), sendable: body)
    }

    /// Runs `body` on the loop, as ``execute(file:line:function:_:)`` does, from the loop's own thread alone: the
    /// closure may capture what belongs to the loop. Traps on any other thread.
    public func callSoon(
        file: StaticString = #fileID,
        line: UInt = #line,
        function: StaticString = #function,
        _ body: @escaping () -> Void
    ) {
        core.preconditionOnOwnThread("callSoon at \(file):\(line)")
        post(CallSite(file, line, function), local: body)
    }

    /// The same under a `name` that the monitor shows, instead of the place of the call.
    public func callSoon(_ name: StaticString, _ body: @escaping () -> Void) {
        core.preconditionOnOwnThread("callSoon '\(name)'")
        post(CallSite(named: name), local: body)
    }

    @inline(__always)
    private func post(_ site: CallSite, sendable body: @escaping @Sendable () -> Void) {
        if core.isRunningHere { post(site, local: body) } else { core.postRemotely(site, body) }
    }

    @inline(__always)
    private func post(_ site: CallSite, local body: @escaping () -> Void) {
        if core.isClosed { core.refusePost() }
        core.takeRemote()  // what was posted before, from this thread or another, comes first
        core.post(.posted, site, body)
    }
}
