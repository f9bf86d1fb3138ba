import CLibUV
import MonitoredUVPlatform

/// Calls a closure when a descriptor that other code reads and writes becomes ready. Meant for C libraries that bring
/// their own sockets.
///
/// The program still owns the descriptor, and must not close it until the handle is closed or stopped. The descriptor
/// is set to non-blocking mode and stays in it, as do all of its duplicates, including those in other processes: on a
/// terminal, this turns standard output non-blocking along with standard input. A loop can have one active handle per
/// descriptor; regular files cannot be watched.
///
/// The corresponding libuv type is `uv_poll_t`.
public final class UVPoll: UVHandle {
    /// Conditions that a descriptor can be ready for.
    public struct Events: OptionSet, Sendable, Hashable, CustomStringConvertible {
        /// The raw libuv flags.
        public let rawValue: Int32

        /// Creates a set from the raw libuv flags.
        public init(rawValue: Int32) { self.rawValue = rawValue }

        /// Data or end of file can be read. The corresponding libuv constant is `UV_READABLE`.
        public static let readable = Events(rawValue: Int32(UV_READABLE.rawValue))
        /// Data can be written. The corresponding libuv constant is `UV_WRITABLE`.
        public static let writable = Events(rawValue: Int32(UV_WRITABLE.rawValue))
        /// The peer has ended its side. The corresponding libuv constant is `UV_DISCONNECT`.
        public static let disconnect = Events(rawValue: Int32(UV_DISCONNECT.rawValue))
        /// Urgent data can be read, or a device signals an exceptional condition. The corresponding libuv constant is
        /// `UV_PRIORITIZED`.
        public static let prioritized = Events(rawValue: Int32(UV_PRIORITIZED.rawValue))

        static let all: Events = [.readable, .writable, .disconnect, .prioritized]

        /// `[readable, disconnect]`.
        public var description: String {
            let names: [(Events, String)] = [
                (.readable, "readable"), (.writable, "writable"), (.disconnect, "disconnect"),
                (.prioritized, "prioritized"),
            ]
            return "[" + names.filter { contains($0.0) }.map(\.1).joined(separator: ", ") + "]"
        }
    }

    @exclusivity(unchecked) private var callback: ((Result<Events, UVError>) -> Void)?
    private let site: CallbackName

    /// Creates a handle for `descriptor` on `loop`, whose thread this must be; it does not watch the descriptor yet.
    ///
    /// - Parameters:
    ///   - loop: The loop whose thread calls back.
    ///   - descriptor: A socket, a pipe, or a device.
    ///   - name: The name of the dispatches; by default the place of the call.
    ///   - file: The file of the call.
    ///   - line: The line of the call.
    ///   - function: The function of the call.
    ///   - callback: Receives the events that the descriptor is ready for, or ``UVError/Code/badFileDescriptor`` if the
    ///     system reports an error on it; the handle is then stopped.
    /// - Throws: ``UVError/Code/badFileDescriptor`` for a descriptor that is not open, ``UVError/Code/fileExists`` if
    ///   this loop already watches it, ``UVError/Code/notPermitted`` for a regular file.
    ///
    /// The corresponding libuv function is `uv_poll_init`.
    public init(
        on loop: UVEventLoop,
        descriptor: Int32,
        name: DispatchName? = nil,
        file: StaticString = #fileID,
        line: UInt = #line,
        function: StaticString = #function,
        _ callback: @escaping (Result<Events, UVError>) -> Void
    ) throws(UVError) {
        self.callback = callback
        self.descriptor = descriptor
        site = loop.core.recorder.name(of: CallSite(name, file, line, function))
        try super.init(loop.core) { (loop, raw) throws(UVError) in
            // Otherwise libuv would use it as an index into its own table.
            if descriptor < 0 {
                let detail = "descriptor \(descriptor) is not open"
                throw UVError(.badFileDescriptor, operation: "uv_poll_init", detail: detail)
            }
            try UVError.check(uv_poll_init(loop, raw, descriptor), "uv_poll_init", "descriptor \(descriptor)")
        }
    }

    /// The watched descriptor.
    public let descriptor: Int32

    /// Starts calling back whenever the descriptor is ready for one of `events`, for as long as it is ready. If the
    /// callback leaves data unread, it is called again. Starting an active handle changes its events; an empty set
    /// stops it.
    ///
    /// - Throws: ``UVError/Code/invalidArgument`` for unknown events, which are not in ``Events``;
    ///   ``UVError/Code/badFileDescriptor`` if the descriptor has been closed since, and ``UVError/Code/notPermitted``
    ///   if it is now a regular file.
    ///
    /// The corresponding libuv function is `uv_poll_start`.
    public func start(_ events: Events) throws(UVError) {
        try checkOpen("uv_poll_start")
        if !events.isSubset(of: .all) {
            let detail = "events \(events.rawValue) are unknown"
            throw UVError(.invalidArgument, operation: "uv_poll_start", detail: detail)
        }
        // Otherwise libuv would abort in its poll.
        var status = stat()
        if fstat(descriptor, &status) != 0 {
            let detail = "descriptor \(descriptor) is not open"
            throw UVError(.badFileDescriptor, operation: "uv_poll_start", detail: detail)
        }
        if status.st_mode & S_IFMT == S_IFREG {
            let detail = "descriptor \(descriptor) is a regular file"
            throw UVError(.notPermitted, operation: "uv_poll_start", detail: detail)
        }
        try UVError.check(uv_poll_start(poll, events.rawValue) { UVPoll.ready($0, $1, $2) }, "uv_poll_start")
    }

    /// Stops watching the descriptor; the handle can be started again. The corresponding libuv function is
    /// `uv_poll_stop`.
    public func stop() { if isOpenHere { UVError.require(uv_poll_stop(poll), "uv_poll_stop") } }

    private var poll: UnsafeMutablePointer<uv_poll_t> { rawPointer() }

    private static func ready(_ raw: UnsafeMutablePointer<uv_poll_t>?, _ status: Int32, _ events: Int32) {
        withHandle(of: raw) { (handle: UVPoll) in
            handle.core.dispatch(.poll, handle.dispatchName(handle.site), .io(handle.raw)) {
                let detail = "descriptor \(handle.descriptor)"
                let error = UVError.of(status, "uv_poll")?.about(detail)
                handle.callback?(error.map { .failure($0) } ?? .success(Events(rawValue: events)))
            }
        }
    }

    override func dropCallbacks() { callback = nil }
    override var registeredName: CallbackName { site }
}
