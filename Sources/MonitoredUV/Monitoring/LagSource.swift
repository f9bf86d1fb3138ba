/// What a dispatch was waiting in, from when it was ready until it started.
public enum LagSource: UInt8, Sendable, CaseIterable, Codable, CodingKeyRepresentable {
    /// A timer that was due.
    case timer
    /// A closure that the loop's own thread had posted.
    case local
    /// A closure that another thread had posted.
    case remote
    /// A part of a task that could go on.
    case job
    /// A descriptor that was ready, by the upper bound of the range that is known.
    case io
    /// A close, or a request that ended without I/O.
    case completion

    /// The case's name, as key of a dictionary.
    public var codingKey: any CodingKey { String(describing: self).codingKey }

    /// The case of this name.
    public init?(codingKey: some CodingKey) {
        guard let found = Self.allCases.first(where: { String(describing: $0) == codingKey.stringValue }) else {
            return nil
        }
        self = found
    }
}
