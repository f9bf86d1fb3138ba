import MonitoredUVPlatform

/// The loop that runs on this thread: one thread-specific word.
enum CurrentLoop {
    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        let status = pthread_key_create(&key, nil)
        if status != 0 { fatalError("pthread_key_create failed with \(status)") }
        return key
    }()

    /// The loop that runs on this thread. Releasing a loop while it runs traps, so the word is valid as long as it is
    /// set.
    static var loop: UVEventLoop? {
        pthread_getspecific(key).map { Unmanaged<UVEventLoop>.fromOpaque($0).takeUnretainedValue() }
    }

    /// Returns the loop of `shared` if this thread is inside a run of it, or of another loop within that run.
    static func core(of shared: LoopShared) -> LoopCore? {
        if !shared.isRunningHere { return nil }
        var found = loop?.core
        while let core = found, core.shared !== shared { found = core.currentRun.outer }
        return found
    }

    /// Sets the loop of this thread and returns the previous one, so that loops can run inside callbacks of other
    /// loops.
    static func enter(_ loop: UVEventLoop) -> UVEventLoop? {
        defer { set(loop) }
        return self.loop
    }

    static func leave(to outer: UVEventLoop?) { set(outer) }

    private static func set(_ loop: UVEventLoop?) {
        let status = pthread_setspecific(key, loop.map { Unmanaged.passUnretained($0).toOpaque() })
        if status != 0 { bug("pthread_setspecific failed with \(status)") }
    }
}
