/// Traps with a message if `condition` is not met. `precondition` prints no message in a release build.
@inline(__always)
func require(
    _ condition: @autoclosure () -> Bool,
    _ message: @autoclosure () -> String,
    file: StaticString = #file,
    line: UInt = #line
) {
    if !condition() { fatalError(message(), file: file, line: line) }
}

/// Traps because this library has made a mistake, and says so.
@inline(never)
func bug(_ message: String, file: StaticString = #file, line: UInt = #line) -> Never {
    fatalError("\(message). This is a bug in MonitoredUV; please report it.", file: file, line: line)
}
