extension UVEventLoop {
    /// Runs `body` on the loop; closures from one thread run in the order of its calls. Any thread. Calls on the loop's
    /// own thread need no wake-up, and all calls from other threads between two iterations share one.
    ///
    /// The loop drains its queue before and after each poll. A drain runs the closures that were queued when it began;
    /// closures that these post wait for the next drain, so that I/O and timers get their turn. A closure posted after
    /// a run has ended waits for the next run. The queue is unbounded: check ``LoopSnapshot/queueLength`` if other
    /// threads may post faster than the loop can run.
    ///
    /// - Returns: `false` if the loop is closed; `body` is then released without running. The first time, a warning is
    ///   printed to standard error.
    ///
    /// The corresponding libuv function is `uv_async_send`.
    @discardableResult
    public func execute(
        name: DispatchName? = nil,
        file: StaticString = #fileID,
        line: UInt = #line,
        function: StaticString = #function,
        _ body: @escaping @Sendable () -> Void
    ) -> Bool {
        post(CallSite(name, file, line, function), sendable: body)
    }

    /// Runs `body` on the loop, as ``execute(name:file:line:function:_:)`` does, but only from the loop's own thread:
    /// the closure may capture values that belong to the loop. Traps on any other thread. On a closed loop, `body` is
    /// released without running; the first time, a warning is printed.
    public func callSoon(
        name: DispatchName? = nil,
        file: StaticString = #fileID,
        line: UInt = #line,
        function: StaticString = #function,
        _ body: @escaping () -> Void
    ) {
        if !shared.isClosed { shared.preconditionOnOwnThread("callSoon at \(file):\(line)") }
        _ = post(CallSite(name, file, line, function), local: body)
    }

    @inline(__always)
    private func post(_ site: CallSite, sendable body: @escaping @Sendable () -> Void) -> Bool {
        if shared.isRunningHere { return post(site, local: body) }
        return shared.post(site, body) || shared.refusePost(site)
    }

    @inline(__always)
    private func post(_ site: CallSite, local body: @escaping () -> Void) -> Bool {
        if shared.isClosed { return shared.refusePost(site) }
        core.takeRemote()  // what was posted before, from this thread or another, comes first
        core.post(.posted, site, body)
        return true
    }
}
