extension [UInt8] {
    /// Copies bytes out of a borrowed buffer.
    public init(uvBytes bytes: RawSpan) { self = bytes.withUnsafeBytes { Array($0) } }

    /// Appends a copy of borrowed bytes.
    public mutating func append(uvBytes bytes: RawSpan) {
        bytes.withUnsafeBytes { append(contentsOf: $0) }
    }
}

extension String {
    /// Copies UTF-8 text out of a borrowed buffer, replacing invalid sequences with U+FFFD.
    public init(uvBytes bytes: RawSpan) { self = bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) } }
}
