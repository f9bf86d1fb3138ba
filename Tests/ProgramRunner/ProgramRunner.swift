import Foundation

/// The path of a program of this package: it lies where this one does, or above its bundle.
package func builtProgram(_ name: String) -> String? {
    for argument in CommandLine.arguments where argument.contains(".xctest") {
        var folder = argument[...]
        while let slash = folder.lastIndex(of: "/") {
            folder = folder[..<slash]
            if access("\(folder)/\(name)", X_OK) == 0 { return "\(folder)/\(name)" }
        }
    }
    return nil
}

private func contents(ofFile path: String) -> String {
    guard let file = fopen(path, "r") else { return "" }
    defer { fclose(file) }
    var bytes: [UInt8] = []
    while case let byte = getc(file), byte != EOF { bytes.append(UInt8(byte)) }
    return String(decoding: bytes, as: UTF8.self)
}

/// How a program ended, and what it wrote.
package struct ProgramResult {
    /// Its exit code; -1 if a signal ended it.
    package let status: Int32
    package let output: String
    package let errors: String
}

/// Runs a program and waits for it, on this thread.
///
/// Not with Foundation's `Process`, which can miss a child's end where exit tests fork meanwhile. The program writes to
/// files, for a pipe's end may be inherited by such a fork as well.
///
/// - Parameter environment: Variables that are set besides those of this process.
package func runProgram(
    _ path: String,
    _ arguments: [String] = [],
    environment: [String: String] = [:]
) throws -> ProgramResult {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let files = ["output", "errors"].map { folder.appendingPathComponent($0).path }
    #if canImport(Darwin)
        var actions: posix_spawn_file_actions_t?
    #else
        var actions = posix_spawn_file_actions_t()
    #endif
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for (descriptor, file) in zip([STDOUT_FILENO, STDERR_FILENO], files) {
        posix_spawn_file_actions_addopen(&actions, descriptor, file, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    }
    var words: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) } + [nil]
    defer { words.forEach { free($0) } }
    let all = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    var variables: [UnsafeMutablePointer<CChar>?] = all.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { variables.forEach { free($0) } }
    var child: pid_t = 0
    let spawned = posix_spawn(&child, path, &actions, nil, &words, &variables)
    if spawned != 0 { throw POSIXError(POSIXErrorCode(rawValue: spawned) ?? .EIO) }
    let process = child
    let hung = DispatchWorkItem { kill(process, SIGKILL) }
    DispatchQueue.global().asyncAfter(deadline: .now() + 180, execute: hung)
    defer { hung.cancel() }
    var status: Int32 = 0
    while waitpid(child, &status, 0) == -1 && errno == EINTR {}
    let texts = files.map(contents)
    return ProgramResult(status: status & 0x7f == 0 ? status >> 8 & 0xff : -1, output: texts[0], errors: texts[1])
}
