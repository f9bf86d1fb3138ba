import ArgumentParser
import MonitoredUV

extension MonitoringLevel: @retroactive ExpressibleByArgument {
    /// From its name.
    public init?(argument: String) {
        guard let level = Self.allCases.first(where: { "\($0)" == argument }) else { return nil }
        self = level
    }
}
