/// Capacities of loops' statistics, for loops that first reach level ``MonitoringLevel/metrics`` afterwards.
public struct MonitoringOptions: Sendable, Hashable {
    /// The capacity for names with statistics of their own; those of the others go to `_OTHER`. From 1 to 4,096, by default
    /// 512, at 1.3 KB each.
    public var nameLimit = 512 { didSet { nameLimit = min(max(nameLimit, 1), 4096) } }

    /// The capacity of the flight recorder, in dispatches of 32 bytes: a power of two from 4,096 to 2^24, to which
    /// other numbers are raised; by default 65,536.
    public var recordedDispatches = 65_536 {
        didSet {
            let wanted = min(max(recordedDispatches, 4096), 1 << 24)
            recordedDispatches = 1 << (Int.bitWidth - (wanted - 1).leadingZeroBitCount)
        }
    }

    /// Modules that are not the program's own, besides Swift's, SwiftNIO's and this library's: `["Hummingbird"]`. A job, and
    /// a stall's ``StallReport/function``, are called by the first function that is in no such module. Counts for functions
    /// that are first seen afterwards.
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
