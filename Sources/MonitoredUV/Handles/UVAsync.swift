import CLibUV
import Synchronization

/// A closure that any thread can make the loop call. Sends that precede a call share it.
///
/// An open handle keeps `run` alive until it is closed or unreferenced, even if nothing is sent. The corresponding
/// libuv type is `uv_async_t`.
public final class UVAsync: UVHandle {
    @exclusivity(unchecked) private var callback: (() -> Void)?
    private let site: CallbackName

    /// The part of the handle that other threads may use.
    public let sender: Sender

    /// Creates an async handle on `loop`, whose thread this must be.
    ///
    /// - Throws: ``UVError/Code/invalidArgument`` on a closed loop.
    ///
    /// The corresponding libuv function is `uv_async_init`.
    public init(
        on loop: UVEventLoop,
        name: DispatchName? = nil,
        file: StaticString = #fileID,
        line: UInt = #line,
        function: StaticString = #function,
        _ callback: @escaping () -> Void
    ) throws(UVError) {
        self.callback = callback
        site = CallbackName(CallSite(name, file, line, function).text)
        let sender = Sender()
        self.sender = sender
        try super.init(loop.core) { (loop, raw) throws(UVError) in
            try UVError.check(uv_async_init(loop, raw) { UVAsync.run($0) }, "uv_async_init")
        }
        sender.open(rawPointer())
    }

    /// Makes the loop call the closure; equivalent to ``Sender/send()``, but from the loop's thread.
    public func send() throws(UVError) { try sender.send() }

    private static func run(_ raw: UnsafeMutablePointer<uv_async_t>?) {
        withHandle(of: raw) { (handle: UVAsync) in
            let sent = handle.sender.takeInstant()
            // A send that found the instant of a send being delivered has none of its own; it became ready just now.
            let ready = sent == 0 ? MonotonicClock.read() : sent
            handle.core.dispatch(.async, handle.dispatchName(handle.site), .exact(ready, .remote)) {
                handle.callback?()
            }
        }
    }

    override func willClose() { sender.close() }
    override func dropCallbacks() { callback = nil }
    override var registeredName: CallbackName { site }

    /// Sends to a ``UVAsync`` from any thread, and may outlive it.
    public final class Sender: Sendable {
        private let wakeUp = AsyncSender()
        /// The instant of the first send since the last call; 0 if there was none.
        private let instant = Atomic<UInt64>(0)

        /// Makes the loop call the handle's closure soon, once for all sends before the call. Any thread.
        ///
        /// - Throws: ``UVError/Code/badFileDescriptor`` once the handle is closed.
        ///
        /// The corresponding libuv function is `uv_async_send`.
        public func send() throws(UVError) {
            _ = instant.compareExchange(expected: 0, desired: MonotonicClock.read(), ordering: .relaxed)
            if !wakeUp.send() {
                throw UVError(.badFileDescriptor, operation: "uv_async_send", detail: "UVAsync was closed")
            }
        }

        fileprivate func open(_ raw: UnsafeMutablePointer<uv_async_t>) { wakeUp.open(raw) }
        fileprivate func close() { wakeUp.close() }
        fileprivate func takeInstant() -> UInt64 { instant.exchange(0, ordering: .relaxed) }
    }
}
