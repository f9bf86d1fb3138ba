/// The queue or place that a dispatch waited in, from when it was ready until it started.
///
/// Later versions, and other targets of this package, have sources that are not listed here: a `switch` needs a `default`.
public struct LagSource: RawRepresentable, Hashable, Sendable, BitwiseCopyable, Codable, CodingKeyRepresentable {
    /// Good in this process: others know the name.
    let number: UInt8

    init(number: UInt8) { self.number = number }

    /// Makes the source of this name, such as `timer`. A process knows up to 15 of them; more count as `_OTHER`.
    public init(rawValue: String) { number = Self.names.number(of: rawValue) }

    /// The name.
    public var rawValue: String { Self.names[number] }

    // Without these, Swift would compare and hash the names.

    /// Returns whether both have the same name.
    public static func == (left: Self, right: Self) -> Bool { left.number == right.number }
    /// Returns whether they have different names.
    public static func != (left: Self, right: Self) -> Bool { left.number != right.number }
    /// Feeds what tells the name apart.
    public func hash(into hasher: inout Hasher) { hasher.combine(number) }

    static let limit = 16
    private static let names = OpenNames(["timer", "local", "remote", "job", "io", "completion"], limit: limit)
}

extension LagSource {
    /// A timer that was due.
    public static var timer: Self { Self(number: 0) }
    /// A closure that the loop's own thread had posted.
    public static var local: Self { Self(number: 1) }
    /// A closure that another thread had posted.
    public static var remote: Self { Self(number: 2) }
    /// A part of a task that could go on.
    public static var job: Self { Self(number: 3) }
    /// A descriptor that was ready, by the upper bound of the range that is known.
    public static var io: Self { Self(number: 4) }
    /// A close, or a request that ended without I/O.
    public static var completion: Self { Self(number: 5) }
}

extension LagSource: CaseIterable, CustomStringConvertible {
    /// The sources that this process knows.
    public static var allCases: [Self] { names.numbers.map(Self.init(number:)) }

    /// The name.
    public var description: String { rawValue }
}
