extension [UInt8] {
    /// Copies bytes out of a buffer that is only lent.
    public init(uvBytes bytes: RawSpan) { self = bytes.withUnsafeBytes { Array($0) } }

    /// Appends a copy of bytes that are only lent.
    public mutating func append(uvBytes bytes: RawSpan) {
        bytes.withUnsafeBytes { append(contentsOf: $0) }
    }
}

extension String {
    /// Copies UTF-8 text out of a buffer that is only lent, and replaces what is not valid by U+FFFD.
    public init(uvBytes bytes: RawSpan) { self = bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) } }
}
