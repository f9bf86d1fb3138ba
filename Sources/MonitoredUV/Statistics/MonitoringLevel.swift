/// The amount of detail that a loop records about its dispatches.
public enum MonitoringLevel: UInt8, Sendable, CaseIterable, Comparable {
    /// Nothing: two branches for each dispatch.
    case off
    /// Histograms, names, flight recorder, and what the watchdog looks at.
    case metrics
    /// Records metrics, and calls the monitor after each dispatch.
    case callbacks

    /// From `off` to `callbacks`.
    public static func < (left: MonitoringLevel, right: MonitoringLevel) -> Bool { left.rawValue < right.rawValue }
}
