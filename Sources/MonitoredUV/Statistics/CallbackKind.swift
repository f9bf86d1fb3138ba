/// The reason for the loop's call into your code.
///
/// Later versions and other targets of this package may define kinds not listed here, so a `switch` needs a `default`.
public struct CallbackKind: RawRepresentable, Hashable, Sendable, BitwiseCopyable, Codable, CodingKeyRepresentable {
    /// Valid only in this process. Other processes identify the kind by its name.
    let number: UInt8

    init(number: UInt8) { self.number = number }

    /// Creates the kind with this name, such as `timer`. A process holds up to 63 kinds; further ones count as
    /// `_OTHER`.
    public init(rawValue: String) { number = Self.names.number(of: rawValue) }

    /// The name.
    public var rawValue: String { Self.names[number] }

    // Without these, Swift would compare and hash the names.

    /// Returns whether both have the same name.
    public static func == (left: Self, right: Self) -> Bool { left.number == right.number }
    /// Returns whether the names differ.
    public static func != (left: Self, right: Self) -> Bool { left.number != right.number }
    /// Hashes the number that identifies the name.
    public func hash(into hasher: inout Hasher) { hasher.combine(number) }

    static let limit = 64
    private static let names = OpenNames(
        [
            "timer", "posted", "job", "mainQueue", "async", "connection", "getaddrinfo", "connect", "read", "write",
            "shutdown", "close", "hook", "release", "signal", "poll", "iteration",
        ],
        limit: limit
    )
}

extension CallbackKind {
    /// A ``UVTimer`` or a ``ScheduledCallback`` came due.
    public static var timer: Self { Self(number: 0) }
    /// A closure passed to `execute` or `callSoon`.
    public static var posted: Self { Self(number: 1) }
    /// A part of a Swift task, up to its next suspension, or a job of an actor.
    public static var job: Self { Self(number: 2) }
    /// `DispatchQueue.main` had work, on a loop that has taken over the main thread.
    public static var mainQueue: Self { Self(number: 3) }
    /// A ``UVAsync`` was sent.
    public static var async: Self { Self(number: 4) }
    /// A listening stream has a connection to accept.
    public static var connection: Self { Self(number: 5) }
    /// A lookup of a host's addresses ended.
    public static var getaddrinfo: Self { Self(number: 6) }
    /// A connect request ended.
    public static var connect: Self { Self(number: 7) }
    /// Bytes arrived, or reading ended.
    public static var read: Self { Self(number: 8) }
    /// A write request ended.
    public static var write: Self { Self(number: 9) }
    /// A shutdown request ended.
    public static var shutdown: Self { Self(number: 10) }
    /// A handle finished closing.
    public static var close: Self { Self(number: 11) }
    /// An idle, prepare, or check hook ran.
    public static var hook: Self { Self(number: 12) }
    /// The program's objects were released outside any other dispatch: a monitor that another thread replaced, or the
    /// callbacks of handles that a shutdown closes.
    public static var release: Self { Self(number: 13) }
    /// The process received a signal.
    public static var signal: Self { Self(number: 14) }
    /// A descriptor that a ``UVPoll`` watches is ready.
    public static var poll: Self { Self(number: 15) }
    /// A loop that this library only watches, such as one of SwiftNIO's, went through an iteration, or through a part
    /// of one.
    public static var iteration: Self { Self(number: 16) }
}

extension CallbackKind: CaseIterable, CustomStringConvertible {
    /// The kinds that this process knows.
    public static var allCases: [Self] { names.numbers.map(Self.init(number:)) }

    /// The name.
    public var description: String { rawValue }
}
