/// Shutdown of a loop with everything open on it, for the code that runs the loop.
extension UVEventLoop {
    /// Asks the loop, from any thread, to cancel and close everything that is open as soon as its run sees the request.
    /// The loop is held open until then.
    func requestShutdown() {
        shared.shutdownRequested.store(true, ordering: .releasing)
        shared.wakeUp.send()
    }

    /// Runs the loop until it has been shut down, even if it is stopped in between.
    func runUntilShutDown() { repeat { runOn() } while !isShutDown }

    /// Whether nothing is left to end, though other threads may still post.
    var isShutDown: Bool { core.isShuttingDown && !core.isAlive && !core.hasOpenHandles }

    /// Runs work that arrived after the shutdown.
    func runOn() {
        do { try run() } catch { bug("\(self) could not run: \(error)") }
        if core.isShuttingDown { core.closeAllHandles() }  // inactive ones do not keep a run going
    }

    /// Closes a loop that was shut down, after running anything that another thread posted at the last moment.
    func closeBehindShutdown() {
        while true {
            do { return try close() } catch {
                if error.code != .busy { bug("\(self) could not be closed: \(error)") }
                runOn()
            }
        }
    }
}
