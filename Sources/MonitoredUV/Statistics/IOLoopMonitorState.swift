/// The state of a dispatch after it ended: one call from the loop into code that is not the loop's own.
///
/// The value is trivially copyable and holds plain numbers; durations and names are computed on access.
public struct IOLoopMonitorState: Sendable, BitwiseCopyable {
    private let startTime: UInt64
    private let wallTime: UInt64
    private let lagLower: UInt64
    private let lagUpper: UInt64

    /// The number of items that the loop held when the dispatch ended, apart from the dispatch itself: pending posted
    /// closures, jobs, scheduled callbacks, and sleeping tasks, active referenced handles, and active requests. The
    /// library's own handles never count. It is 0 when nothing is left.
    public let loopHandlesCount: Int

    private let name: CallbackName
    private let loop: CallbackName
    private let lagPrecision: DispatchLag.Precision

    /// The reason for the loop's call into your code.
    public let kind: CallbackKind

    @inline(__always)
    init(
        start: UInt64,
        wallTime: UInt64,
        lag: DispatchLag,
        handles: Int,
        name: CallbackName,
        loop: CallbackName,
        kind: CallbackKind
    ) {
        startTime = start
        self.wallTime = wallTime
        lagLower = lag.lower
        lagUpper = lag.upper
        loopHandlesCount = handles
        self.name = name
        self.loop = loop
        lagPrecision = lag.precision
        self.kind = kind
    }

    /// The time at which the dispatch started, on the monotonic clock: `CLOCK_MONOTONIC` on Linux.
    public var start: Duration { Duration(nanoseconds: startTime) }

    /// The time that your code ran, from the loop's call to its return, excluding the monitor's time.
    public var callbackWallTime: Duration { Duration(nanoseconds: wallTime) }

    /// The time from the dispatch's readiness to its start: for I/O the upper bound of ``loopLagRange``, and zero for
    /// hooks, which do not wait.
    public var loopLag: Duration { Duration(nanoseconds: lagUpper) }

    /// The bounds of the lag: equal if it is exact, `nil` for hooks.
    ///
    /// The kernel does not timestamp readiness, so the lag of I/O is a range; <doc:TheNumbers> says how it is computed.
    public var loopLagRange: ClosedRange<Duration>? {
        lagPrecision == .notApplicable ? nil : Duration(nanoseconds: lagLower)...Duration(nanoseconds: lagUpper)
    }

    /// Whether ``loopLag`` is measured from the instant the dispatch became ready, rather than bounded.
    public var isLoopLagExact: Bool { lagPrecision == .exact }

    /// The name set for this dispatch, else the handle's name, else the `name:` that the callback was registered with,
    /// else the place of the registration, such as `Server.swift:42 accept(_:)`.
    public var callbackPrettyName: String { name.text }

    /// The name of the loop that made the dispatch.
    public var loopName: String { loop.text }
}

extension IOLoopMonitorState: CustomStringConvertible {
    /// One line for a log: `Server.swift:42 accept(_:) (read) ran 203 ms, had waited 1.2 ms, handles 3`.
    public var description: String {
        "\(callbackPrettyName) (\(kind)) ran \(callbackWallTime.brief), had waited \(loopLag.brief), handles \(loopHandlesCount)"
    }
}
