extension [UInt8] {
    /// Copies bytes out of a buffer that is only lent.
    public init(copying bytes: RawSpan) { self = bytes.withUnsafeBytes { Array($0) } }
}

extension String {
    /// Copies UTF-8 text out of a buffer that is only lent, and replaces what is not valid by U+FFFD.
    public init(copying bytes: RawSpan) { self = bytes.withUnsafeBytes { String(decoding: $0, as: UTF8.self) } }
}
