import CLibUV
import CMonitoredUV
import MonitoredUVPlatform

/// Calls a closure when the process receives a signal.
///
/// ```swift
/// let signal = try UVSignal(on: loop) { _ in loop.stop() }
/// try signal.start(.interrupt)
/// ```
///
/// Several handles, on several loops, may wait for the same signal; all of them are called. While any handle waits for
/// a signal, the signal has no other effect; when the last one stops, the default effect returns. For `SIGPIPE` that
/// lasts only an instant, until the empty handler is installed again. Signals that arrive while the loop is busy may be
/// merged into one, as the system itself does. ``UVEventLoop/onSignal(_:name:file:line:function:_:)`` creates a handle
/// and starts it.
///
/// The corresponding libuv type is `uv_signal_t`.
public final class UVSignal: UVHandle {
    @exclusivity(unchecked) private var callback: ((Number) -> Void)?
    @exclusivity(unchecked) private var isOnce = false
    private let site: CallbackName

    /// Creates a handle on `loop`, whose thread this must be; it does not wait for a signal yet.
    ///
    /// - Throws: ``UVError/Code/invalidArgument`` on a closed loop.
    ///
    /// The corresponding libuv function is `uv_signal_init`.
    public convenience init(
        on loop: UVEventLoop,
        name: DispatchName? = nil,
        file: StaticString = #fileID,
        line: UInt = #line,
        function: StaticString = #function,
        _ callback: @escaping (Number) -> Void
    ) throws(UVError) {
        try self.init(loop.core, CallSite(name, file, line, function), callback)
    }

    init(_ core: LoopCore, _ site: CallSite, _ callback: @escaping (Number) -> Void) throws(UVError) {
        self.callback = callback
        self.site = core.recorder.name(of: site)
        try super.init(core) { (loop, raw) throws(UVError) in
            try UVError.check(uv_signal_init(loop, raw), "uv_signal_init")
        }
    }

    /// Starts calling back for each signal with this number, until ``stop()``. A handle waits for one number at a time:
    /// starting it with another number replaces the first.
    ///
    /// - Throws: ``UVError/Code/invalidArgument`` for a number that is not a signal or cannot be caught, and for
    ///   signals of faults, which would recur when the handler returned. After a number that cannot be caught, the
    ///   handle waits for no signal. ``UVError/Code/busy`` for a signal that the library uses: to write traces or
    ///   snapshots, as set in the environment, or to capture stacks, which on Linux is `SIGURG` or, if the program
    ///   handled that before its first loop ran monitored, a real-time signal.
    ///
    /// The corresponding libuv function is `uv_signal_start`.
    public func start(_ number: Number) throws(UVError) {
        try start(number, once: false)
    }

    /// Calls back for the next signal with this number, then stops. Throws the errors of ``start(_:)``.
    ///
    /// The corresponding libuv function is `uv_signal_start_oneshot`. That function restores the default effect as soon
    /// as the signal arrives, so a second signal right after it ends the process; here it is restored when the closure
    /// is called.
    public func startOnce(_ number: Number) throws(UVError) { try start(number, once: true) }

    private func start(_ number: Number, once: Bool) throws(UVError) {
        try checkOpen("uv_signal_start")
        if Platform.faultSignals.contains(number.rawValue) {
            let detail = "\(number) is the signal of a fault, which would happen again when the handler returns"
            throw UVError(.invalidArgument, operation: "uv_signal_start", detail: detail)
        }
        if let use = Self.libraryUse(of: number) {
            throw UVError(.busy, operation: "uv_signal_start", detail: "\(number) \(use)")
        }
        let old = self.number
        let status = uv_signal_start(signal, { UVSignal.received($0, $1) }, number.rawValue)
        if old != self.number { restoreHandler(of: old) }
        try UVError.check(status, "uv_signal_start", "\(number)")
        isOnce = once
    }

    /// Returns what the library itself uses the signal for; `nil` if it does not use it.
    private static func libraryUse(of number: Number) -> String? {
        if muv_signal_is_watched(number.rawValue) {
            return "is the signal that MONITOREDUV_TRACE_SIGNAL or MONITOREDUV_SNAPSHOT_SIGNAL names"
        }
        return muv_stack_is_signal(number.rawValue) ? "is used to capture stacks" : nil
    }

    /// Stops waiting for signals; the handle can be started again. The corresponding libuv function is
    /// `uv_signal_stop`.
    public func stop() {
        guard isOpenHere else { return }
        let old = number
        UVError.require(uv_signal_stop(signal), "uv_signal_stop")
        restoreHandler(of: old)
    }

    /// The signal that the handle waits for; `nil` if it waits for none.
    public var number: Number? {
        isOpenHere ? watchedNumber : nil
    }

    private var watchedNumber: Number? {
        let number = signal.pointee.signum
        return number == 0 ? nil : Number(rawValue: number)
    }

    private var signal: UnsafeMutablePointer<uv_signal_t> { rawPointer() }

    /// Reinstalls the handler of `SIGPIPE`, which by default would end the process when a peer is gone.
    private func restoreHandler(of number: Number?) { if number?.rawValue == SIGPIPE { ProcessSetup.catchSIGPIPE() } }

    private static func received(_ raw: UnsafeMutablePointer<uv_signal_t>?, _ number: Int32) {
        withHandle(of: raw) { (handle: UVSignal) in
            if handle.isOnce { handle.stop() }
            handle.core.dispatch(.signal, handle.dispatchName(handle.site), .io(handle.raw)) {
                handle.callback?(Number(rawValue: number))
            }
        }
    }

    override func willClose() { closing = watchedNumber }
    @exclusivity(unchecked) private var closing: Number?

    override func dropCallbacks() {
        callback = nil
        restoreHandler(of: closing)
    }

    override var registeredName: CallbackName { site }

    /// The number of a signal.
    public struct Number: RawRepresentable, Hashable, Sendable, ExpressibleByIntegerLiteral, CustomStringConvertible {
        /// The system's number for the signal.
        public let rawValue: Int32

        /// Creates the number of a signal that has no name here.
        public init(rawValue: Int32) { self.rawValue = rawValue }

        /// Creates the number of a signal that has no name here.
        public init(integerLiteral value: Int32) { rawValue = value }

        /// `SIGHUP`: the terminal is gone; for many servers, a request to reload their configuration.
        public static let hangup = Number(rawValue: SIGHUP)
        /// `SIGINT`: Ctrl-C.
        public static let interrupt = Number(rawValue: SIGINT)
        /// `SIGQUIT`: Ctrl-\.
        public static let quit = Number(rawValue: SIGQUIT)
        /// `SIGTERM`: a polite request to terminate.
        public static let terminate = Number(rawValue: SIGTERM)
        /// `SIGUSR1`.
        public static let user1 = Number(rawValue: SIGUSR1)
        /// `SIGUSR2`.
        public static let user2 = Number(rawValue: SIGUSR2)
        /// `SIGALRM`.
        public static let alarm = Number(rawValue: SIGALRM)
        /// `SIGCHLD`: a child process has stopped or ended.
        public static let child = Number(rawValue: SIGCHLD)
        /// `SIGCONT`: the process continues after a stop.
        public static let resume = Number(rawValue: SIGCONT)
        /// `SIGPIPE`: a write to a peer that is gone.
        public static let pipe = Number(rawValue: SIGPIPE)
        /// `SIGWINCH`: the terminal window was resized.
        public static let windowChange = Number(rawValue: SIGWINCH)

        /// `SIGINT`, or `signal 64` for a signal without a name here.
        public var description: String { Self.names[rawValue] ?? "signal \(rawValue)" }

        private static let names = [
            SIGHUP: "SIGHUP", SIGINT: "SIGINT", SIGQUIT: "SIGQUIT", SIGTERM: "SIGTERM", SIGUSR1: "SIGUSR1",
            SIGUSR2: "SIGUSR2", SIGALRM: "SIGALRM", SIGCHLD: "SIGCHLD", SIGCONT: "SIGCONT", SIGPIPE: "SIGPIPE",
            SIGWINCH: "SIGWINCH", SIGKILL: "SIGKILL", SIGSTOP: "SIGSTOP", SIGSEGV: "SIGSEGV", SIGBUS: "SIGBUS",
            SIGILL: "SIGILL", SIGFPE: "SIGFPE", SIGABRT: "SIGABRT", SIGTRAP: "SIGTRAP",
        ]
    }
}

extension UVEventLoop {
    /// Calls `body` on the loop for each signal with this number: `loop.onSignal(.interrupt) { loop.stop() }`. The
    /// handle does not keep `run` alive, and closes with the loop. Traps on any thread but the loop's.
    ///
    /// - Returns: The handle, with which to close it or to make it keep the loop alive.
    /// - Throws: The errors of ``UVSignal/start(_:)``.
    ///
    /// The corresponding libuv function is `uv_signal_start`.
    @discardableResult
    public func onSignal(
        _ number: UVSignal.Number,
        name: DispatchName? = nil,
        file: StaticString = #fileID,
        line: UInt = #line,
        function: StaticString = #function,
        _ body: @escaping () -> Void
    ) throws(UVError) -> UVSignal {
        let signal = try UVSignal(on: self, name: name, file: file, line: line, function: function) { _ in body() }
        do {
            try signal.start(number)
        } catch {
            signal.close()
            throw error
        }
        signal.unref()
        signal.closesWithLoop = true
        return signal
    }
}
