/// The reason that a dispatch ran for so long.
public enum StallCause: String, Sendable, CaseIterable, Codable, CodingKeyRepresentable {
    /// Its thread used the processor.
    case cpu
    /// Its thread slept, or was blocked in a call: I/O, a lock, another process.
    case wait
    /// Its thread was ready to run but preempted: the machine had too much else to do.
    case descheduled
}
