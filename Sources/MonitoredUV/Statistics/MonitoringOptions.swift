/// The capacities of loops' statistics, for loops that first reach level ``MonitoringLevel/metrics`` afterward.
public struct MonitoringOptions: Sendable, Hashable {
    /// The number of names with statistics of their own; all others count as `_OTHER`. From 1 to 4,096; the default is
    /// 512. Each takes 1.3 KB.
    public var nameLimit = 512 { didSet { nameLimit = min(max(nameLimit, 1), 4096) } }

    /// The capacity of the flight recorder, in dispatches of 32 bytes: a power of two from 4,096 to 2^24. Other numbers
    /// are rounded up and clamped to that range. The default is 65,536.
    public var recordedDispatches = 65_536 {
        didSet {
            let wanted = min(max(recordedDispatches, 4096), 1 << 24)
            recordedDispatches = 1 << (Int.bitWidth - (wanted - 1).leadingZeroBitCount)
        }
    }

    /// Additional modules that are not the program's own, like Swift's, SwiftNIO's, and this library's:
    /// `["Hummingbird"]`. A job, and a stall's ``StallReport/function``, are named after the first function outside of
    /// these modules. Applies to functions that are first seen afterward.
    public var libraryModules: Set<String> = []

    /// The defaults.
    public init() {}

    /// The options of the process. Any thread.
    public static var current: MonitoringOptions {
        get { shared.withLock { $0 } }
        set { shared.withLock { $0 = newValue } }
    }

    private static let shared = Lock(MonitoringOptions())
}
