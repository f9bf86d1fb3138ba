/// A place where diagnostics are served.
package enum DiagnosticsPlace: Equatable, Sendable {
    case port(host: String, Int)
    /// `{PID}` in the path stands for the number of this process.
    case socket(pattern: String)

    /// Parses `127.0.0.1:9464`, `9464`, `[::1]:9464`, or a path, which has a slash.
    package init?(_ text: String) {
        if text.contains("/") {
            self = .socket(pattern: text)
            return
        }
        let colon = text.lastIndex(of: ":")
        let host = colon.map { text[..<$0] } ?? "127.0.0.1"
        guard let port = Int(colon.map { text[text.index(after: $0)...] } ?? text[...]), (0...65535).contains(port),
            !host.isEmpty
        else { return nil }
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        self = .port(host: String(isBracketed ? host.dropFirst().dropLast() : host), port)
    }
}
