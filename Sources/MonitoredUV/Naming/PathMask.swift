/// Makes a bounded name of a request line: `GET /users/42/orders` becomes `GET /users/_/orders`.
enum PathMask {
    /// Masks the digits of every path segment, that is of everything after the first `/`.
    ///
    /// A segment of hexadecimal digits and dashes that holds a decimal digit (a number, a UUID, a hash) becomes `_` as
    /// a whole; in other segments each run of digits does. The query is dropped.
    static func mask(_ name: String) -> String {
        guard let path = name.firstIndex(of: "/") else { return name }
        let query = name[path...].firstIndex(of: "?")
        let rest = query.flatMap { name[$0...].firstIndex(of: " ") }
        let segments = name[path..<(query ?? name.endIndex)].split(separator: "/", omittingEmptySubsequences: false)
        return name[..<path] + segments.map(masked).joined(separator: "/") + (rest.map { name[$0...] } ?? "")
    }

    private static func masked(_ segment: Substring) -> Substring {
        guard segment.utf8.contains(where: isDigit) else { return segment }
        if segment.utf8.allSatisfy({ isDigit($0) || isHexLetter($0) || $0 == UInt8(ascii: "-") }) { return "_" }
        var result = Substring()
        for character in segment {
            let isDigit = character.isASCII && character.isWholeNumber
            if !isDigit { result.append(character) } else if result.last != "_" { result.append("_") }
        }
        return result
    }

    private static func isDigit(_ byte: UInt8) -> Bool { UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte }

    private static func isHexLetter(_ byte: UInt8) -> Bool { UInt8(ascii: "a")...UInt8(ascii: "f") ~= byte | 0x20 }
}
