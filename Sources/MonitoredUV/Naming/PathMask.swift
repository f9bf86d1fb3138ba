/// Turns a request line into one of a bounded set of names: `GET /users/42/orders` becomes `GET /users/_/orders`.
enum PathMask {
    /// Masks what looks like a value in the segments of the path, which begins with the first `/`. The query is dropped.
    static func mask(_ name: String) -> String {
        guard let path = name.firstIndex(of: "/") else { return name }
        let end = name[path...].firstIndex { $0 == "?" || $0 == " " } ?? name.endIndex
        let rest = name[end...].firstIndex(of: " ") ?? name.endIndex
        let segments = name[path..<end].split(separator: "/", omittingEmptySubsequences: false)
        return name[..<path] + segments.map(masked).joined(separator: "/") + name[rest...]
    }

    /// The maximum length of a word in a route. Longer segments are masked.
    private static let longest = 32
    /// The length from which letters mixed with digits are no longer a word, but a token or the like.
    private static let longestMixed = 16

    private static func masked(_ segment: Substring) -> Substring {
        if segment.utf8.count > longest { return "_" }
        guard segment.utf8.contains(where: isDigit) else { return segment }
        if isVersion(segment) { return segment }
        if segment.utf8.allSatisfy({ isDigit($0) || isHexLetter($0) || $0 == UInt8(ascii: "-") }) { return "_" }
        if segment.utf8.count >= longestMixed && segment.utf8.allSatisfy(isOfToken) { return "_" }
        var result = Substring()
        for character in segment {
            let isDigit = character.isASCII && character.isWholeNumber
            if !isDigit { result.append(character) } else if result.last != "_" { result.append("_") }
        }
        return result
    }

    /// Returns whether the segment is the version of an interface, such as `v2` or `v1.1`, rather than a value.
    private static func isVersion(_ segment: Substring) -> Bool {
        guard let first = segment.utf8.first, first | 0x20 == UInt8(ascii: "v") else { return false }
        let parts = segment.dropFirst().split(separator: ".", omittingEmptySubsequences: false)
        return parts.count <= 3 && parts.allSatisfy { 1...2 ~= $0.utf8.count && $0.utf8.allSatisfy(isDigit) }
    }

    private static func isDigit(_ byte: UInt8) -> Bool { UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte }

    private static func isHexLetter(_ byte: UInt8) -> Bool { UInt8(ascii: "a")...UInt8(ascii: "f") ~= byte | 0x20 }

    private static func isOfToken(_ byte: UInt8) -> Bool {
        isDigit(byte) || UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20 || byte == UInt8(ascii: "-")
            || byte == UInt8(ascii: "_")
    }
}
