/// Ending a loop with whatever is open on it, for those who run it.
extension UVEventLoop {
    /// Asks the loop, from any thread, to close and to cancel what is open once its run sees this. The loop is held open
    /// until then.
    func requestShutdown() {
        shared.shutdownRequested.store(true, ordering: .releasing)
        shared.wakeUp.send()
    }

    /// Runs the loop until it has been shut down, whoever stops it meanwhile.
    func runUntilShutDown() { repeat { runOn() } while !isShutDown }

    /// Nothing is left, though other threads may still post.
    var isShutDown: Bool { core.isShuttingDown && !core.isAlive && !core.hasOpenHandles }

    /// Runs what came behind the shutdown.
    func runOn() {
        do { try run() } catch { fatalError("\(self) could not run: \(error)") }
        if core.isShuttingDown { core.closeAllHandles() }  // inactive ones do not keep a run going
    }

    /// Closes a loop that was shut down, after running what another thread may have posted at the last moment.
    func closeBehindShutdown() {
        while true {
            do { return try close() } catch {
                if error.code != .busy { fatalError("\(self) could not be closed: \(error)") }
                runOn()
            }
        }
    }
}
