import MonitoredUVPlatform
import Synchronization

/// An accepted client on its way to its loop. Closes its descriptor unless it is opened.
final class AcceptedSocket: Sendable {
    let loop: UVEventLoop
    private let descriptor: Atomic<Int32>
    private let arrived: @Sendable () -> Void

    /// - Parameter arrived: Called once, when the socket is opened or closed.
    init(_ descriptor: Int32, for loop: UVEventLoop, arrived: @escaping @Sendable () -> Void) {
        self.descriptor = Atomic(descriptor)
        self.loop = loop
        self.arrived = arrived
    }

    deinit { if let descriptor = take() { Platform.close(descriptor) } }

    private func take() -> Int32? {
        let descriptor = descriptor.exchange(-1, ordering: .relaxed)
        if descriptor < 0 { return nil }
        arrived()
        return descriptor
    }

    /// Makes the connection on the thread of its loop. Call it once, from any thread.
    nonisolated(nonsending) func open() async -> Result<UVTCPConnection, UVError> {
        if loop.shared.isRunningHere { return openHere() }
        return await withUnsafeContinuation { continuation in
            let isAccepted = loop.shared.post(CallSite(named: "UVTCPServer.accept")) {
                continuation.resume(returning: self.openHere())
            }
            if !isAccepted { continuation.resume(returning: .failure(loop.shared.closedError("UVTCPServer.accept"))) }
        }
    }

    private func openHere() -> Result<UVTCPConnection, UVError> {
        Result { () throws(UVError) in
            guard let descriptor = take() else { bug("a socket was opened twice") }
            let tcp = try UVTCP(loop.core, owning: descriptor)
            do throws(UVError) { return try UVTCPConnection(tcp) } catch {
                tcp.close()
                throw error
            }
        }
    }
}
