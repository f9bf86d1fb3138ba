/// What made the loop call out.
public enum CallbackKind: UInt8, Sendable, BitwiseCopyable, CaseIterable, Codable, CodingKeyRepresentable {
    /// A ``UVTimer`` came due, also one made by `callLater` or `callAt`.
    case timer
    /// A closure given to `execute` or `callSoon`.
    case posted
    /// A part of a Swift task, up to where it waits for something, or a turn of an actor.
    case job
    /// `DispatchQueue.main` had work, on a loop that has taken the main thread.
    case mainQueue
    /// A ``UVAsync`` was sent.
    case async
    /// A listening stream has a connection to accept.
    case connection
    /// A look-up of a host's addresses ended.
    case getaddrinfo
    /// A connect request ended.
    case connect
    /// Bytes arrived, or reading ended.
    case read
    /// A write request ended.
    case write
    /// A shutdown request ended.
    case shutdown
    /// A handle finished closing.
    case close
    /// An idle, prepare or check hook ran.
    case hook
    /// Objects of the program were released outside of any other dispatch: a monitor that another thread replaced, or
    /// the callbacks of handles that a shutdown closes.
    case release
}

extension CallbackKind {
    /// The case's name, as key of a dictionary.
    public var codingKey: any CodingKey { String(describing: self).codingKey }

    /// The case of this name.
    public init?(codingKey: some CodingKey) {
        guard let found = Self.allCases.first(where: { String(describing: $0) == codingKey.stringValue }) else {
            return nil
        }
        self = found
    }
}
