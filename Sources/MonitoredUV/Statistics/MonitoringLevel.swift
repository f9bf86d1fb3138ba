/// How much a loop notes of its dispatches.
public enum MonitoringLevel: UInt8, Sendable, CaseIterable, Comparable {
    /// Nothing: two branches for each dispatch.
    case off
    /// Histograms, names, flight recorder, and what the watchdog looks at.
    case metrics
    /// The same, and the monitor is called after each dispatch.
    case callbacks

    /// From `off` to `callbacks`.
    public static func < (left: MonitoringLevel, right: MonitoringLevel) -> Bool { left.rawValue < right.rawValue }
}
