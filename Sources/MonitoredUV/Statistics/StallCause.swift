/// Why a dispatch ran for so long.
public enum StallCause: String, Sendable, CaseIterable, Codable, CodingKeyRepresentable {
    /// Its thread used the processor.
    case cpu
    /// Its thread slept, or was blocked in a call: I/O, a lock, another process.
    case wait
    /// Its thread could have gone on, and the machine did not let it: too much else to do.
    case descheduled
}
