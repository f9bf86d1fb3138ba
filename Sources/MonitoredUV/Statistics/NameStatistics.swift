/// The statistics of the dispatches of one name.
public struct NameStatistics: Sendable, Hashable, Codable {
    /// The name, as in ``IOLoopMonitorState/callbackPrettyName``; `_OTHER` stands for all names without their own
    /// entry.
    public let callbackName: String

    /// The wall times of the dispatches, including count, total, and maximum, in bins up to 25% wide.
    public internal(set) var wallTime: DurationHistogram

    var blameNanoseconds: UInt64
    /// Identifies this residency; an evicted name starts anew.
    let epoch: UInt64

    init(name: String, wallTime: DurationHistogram, blameNanoseconds: UInt64, epoch: UInt64) {
        callbackName = name
        self.wallTime = wallTime
        self.blameNanoseconds = blameNanoseconds
        self.epoch = epoch
    }

    /// Adds up entries of the same name. `_OTHER` never leaves the table, so its epoch is always 0.
    init(sumOf entries: [NameStatistics]) {
        callbackName = entries[0].callbackName
        wallTime = entries.dropFirst().reduce(entries[0].wallTime) { $0 + $1.wallTime }
        blameNanoseconds = entries.reduce(0) { $0 + $1.blameNanoseconds }
        epoch = callbackName == CallbackName.other.text ? 0 : entries.reduce(0) { Swift.max($0, $1.epoch) }
    }

    /// The number of dispatches.
    public var count: Int { wallTime.count }

    /// The total wall time.
    public var total: Duration { wallTime.sum }

    /// The longest wall time.
    public var max: Duration { wallTime.max }

    /// The total time that other dispatches waited for those of this name: a dispatch of 200 ms that kept 39 others
    /// waiting is to blame for 7.8 s. Waits of dispatches that became ready while it ran count from then on.
    public var blame: Duration { Duration(nanoseconds: blameNanoseconds) }
}

extension NameStatistics: CustomStringConvertible {
    /// `flush(): 16 times, 3.2 s, max 203 ms, blame 7.8 s`.
    public var description: String {
        "\(callbackName): \(count) time\(count == 1 ? "" : "s"), \(total.brief), max \(max.brief), blame \(blame.brief)"
    }
}
