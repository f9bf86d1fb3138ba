/// The queue or place where a dispatch waited, from its readiness to its start.
///
/// Later versions and other targets of this package may define sources not listed here, so a `switch` needs a
/// `default`.
public struct LagSource: RawRepresentable, Hashable, Sendable, BitwiseCopyable, Codable, CodingKeyRepresentable {
    /// Valid only in this process. Other processes identify the source by its name.
    let number: UInt8

    init(number: UInt8) { self.number = number }

    /// Creates the source with this name, such as `timer`. A process holds up to 15; further ones count as `_OTHER`.
    public init(rawValue: String) { number = Self.names.number(of: rawValue) }

    /// The name.
    public var rawValue: String { Self.names[number] }

    // Without these, Swift would compare and hash the names.

    /// Returns whether both have the same name.
    public static func == (left: Self, right: Self) -> Bool { left.number == right.number }
    /// Returns whether the names differ.
    public static func != (left: Self, right: Self) -> Bool { left.number != right.number }
    /// Hashes the number that identifies the name.
    public func hash(into hasher: inout Hasher) { hasher.combine(number) }

    static let limit = 16
    private static let names = OpenNames(
        ["timer", "local", "remote", "job", "io", "completion", "probe"],
        limit: limit
    )
}

extension LagSource {
    /// A timer that was due.
    public static var timer: Self { Self(number: 0) }
    /// A closure that the loop's own thread had posted.
    public static var local: Self { Self(number: 1) }
    /// A closure that another thread had posted.
    public static var remote: Self { Self(number: 2) }
    /// A part of a task that was ready to run.
    public static var job: Self { Self(number: 3) }
    /// A descriptor that was ready. The lag is the upper bound of the known range.
    public static var io: Self { Self(number: 4) }
    /// A close, or a request that ended without I/O.
    public static var completion: Self { Self(number: 5) }
    /// An empty task that the watchdog thread handed to a busy loop that this library only watches.
    public static var probe: Self { Self(number: 6) }
}

extension LagSource: CaseIterable, CustomStringConvertible {
    /// The sources that this process knows.
    public static var allCases: [Self] { names.numbers.map(Self.init(number:)) }

    /// The name.
    public var description: String { rawValue }
}
