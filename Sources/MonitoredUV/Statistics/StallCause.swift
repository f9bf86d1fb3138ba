/// The reason that a dispatch ran for so long.
public enum StallCause: String, Sendable, CaseIterable, Codable, CodingKeyRepresentable {
    /// Its thread used the processor: "on CPU" in messages.
    case cpu
    /// Its thread slept, or was blocked in a call, such as I/O, a lock, or another process: "blocked in" in messages.
    case wait
    /// Its thread was ready to run, but the machine had too much else to do: "preempted" in messages.
    case descheduled
}
