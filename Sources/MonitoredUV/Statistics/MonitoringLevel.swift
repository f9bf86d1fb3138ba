/// The amount of detail that a loop records about its dispatches.
public enum MonitoringLevel: UInt8, Sendable, CaseIterable, Comparable {
    /// Records no dispatches, at the cost of two branches each. Handles, requests, timers, and wake-ups are counted at
    /// every level.
    case off
    /// Records histograms, names, the flight recorder, and the data that the watchdog reads.
    case metrics
    /// Records metrics, and calls the monitor after each dispatch.
    case callbacks

    /// Orders levels from `off` to `callbacks`.
    public static func < (left: MonitoringLevel, right: MonitoringLevel) -> Bool { left.rawValue < right.rawValue }
}
