extension String {
    /// The text with control characters replaced, which could end a line or control a terminal: outsiders choose parts
    /// of what is logged.
    var printable: String {
        if utf8.allSatisfy({ (0x20..<0x7f).contains($0) }) { return self }
        return String(
            UnicodeScalarView(
                unicodeScalars.map { scalar in
                    switch scalar.properties.generalCategory {
                    case .control, .lineSeparator, .paragraphSeparator, .format: "_"
                    default: scalar
                    }
                }
            )
        )
    }

    /// Returns as many whole Unicode scalars as fit into `most` bytes.
    func firstBytes(_ most: Int) -> String {
        if utf8.count <= most { return self }
        var end = utf8.index(startIndex, offsetBy: most)
        while utf8[end] & 0xc0 == 0x80 { end = utf8.index(before: end) }
        return String(self[..<end])
    }
}
