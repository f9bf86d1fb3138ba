extension Monitoring {
    /// Writes the contents of the flight recorder as a trace for [Perfetto](https://ui.perfetto.dev) and
    /// `chrome://tracing`: the loop's last dispatches (``MonitoringOptions/recordedDispatches``) with their names, each
    /// with how long it had waited and how many it kept waiting; an arrow from the dispatch that posted it, or during
    /// which it came due; and stalls with their stacks.
    ///
    /// Call it from any thread but the loop's, which it would block for about ten milliseconds; the loop does not wait
    /// for it.
    ///
    /// - Throws: ``UVError`` with the system call that failed. An existing file is replaced completely or not at all;
    ///   only its owner can read it. If `path` is a device or a pipe, the trace is written to it.
    public func writeTrace(to path: String) throws(UVError) { try Self.writeTrace(of: [self], to: path) }

    /// Writes the traces of several loops, each on its own track.
    public static func writeTrace(of loops: [Monitoring], to path: String) throws(UVError) {
        try writeFile(Trace.bytes(of: loops.map(\.loop.watchdog)), to: path, keepingDevices: true)
    }
}
