extension UVEventLoop {
    /// Runs `body` on the loop, in the order of the calls of each thread. Any thread; the loop's own needs no wake-up,
    /// and many calls from another thread between two iterations of the loop cost one.
    ///
    /// The loop drains its queue before and after each poll. A drain runs what was queued when it began; what that
    /// posts waits for the next, so that I/O and timers get their turn. A closure that comes after the run has ended
    /// waits for the next run. The queue has no limit: look at ``LoopSnapshot/queueLength`` if others post faster than the
    /// loop can run.
    ///
    /// - Returns: `false` if the loop is closed; `body` is released without running. The first time, a warning is printed
    ///   on standard error.
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

    /// Runs `body` on the loop, as ``execute(name:file:line:function:_:)`` does, from the loop's own thread alone: the
    /// closure may capture what belongs to the loop. Traps on any other thread. On a closed loop, `body` is released, with
    /// one warning.
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
        return shared.post(site, body) || shared.refusePost()
    }

    @inline(__always)
    private func post(_ site: CallSite, local body: @escaping () -> Void) -> Bool {
        if shared.isClosed { return shared.refusePost() }
        core.takeRemote()  // what was posted before, from this thread or another, comes first
        core.post(.posted, site, body)
        return true
    }
}
