extension Monitoring {
    /// Writes what the flight recorder holds as a trace that [Perfetto](https://ui.perfetto.dev) and `chrome://tracing`
    /// show: the loop's last dispatches (``MonitoringOptions/recordedDispatches``) with their names, each with how long
    /// it had waited and how many it kept waiting; an arrow from the dispatch that posted it, or during which it came
    /// due; stalls with their stacks.
    ///
    /// Any thread but the loop's, which it would hold for some ten milliseconds; the loop does not wait for it.
    ///
    /// - Throws: ``UVError`` with the system call that failed. An existing file is replaced as a whole or not at all; only
    ///   its owner can read it. A device or a pipe is written to.
    public func writeTrace(to path: String) throws(UVError) { try Self.writeTrace(of: [self], to: path) }

    /// Writes the traces of several loops, each on its own track.
    public static func writeTrace(of loops: [Monitoring], to path: String) throws(UVError) {
        try writeFile(Trace.bytes(of: loops.map(\.loop.watchdog)), to: path, keepingDevices: true)
    }
}
