import Foundation

/// Lines on standard output, and one that is overwritten to show progress where somebody watches. Any thread.
enum Console {
    private static let isTerminal = isatty(STDOUT_FILENO) == 1

    static func line(_ text: String) { write((isTerminal ? "\r\u{1B}[K" : "") + text + "\n") }

    /// Without a terminal each call makes a line of its own.
    static func progress(_ text: String) { isTerminal ? write("\r\u{1B}[K" + text) : line(text) }

    /// A reader that has gone (`demo | head`) is no error of the demo's.
    private static func write(_ text: String) {
        do { try FileHandle.standardOutput.write(contentsOf: Data(text.utf8)) } catch { exit(0) }
    }
}
