import Foundation
import MonitoredUV

/// Called when the first loop of the process is made, if the environment asks for diagnostics.
@_cdecl("muv_diagnostics_were_asked_for")
func diagnosticsWereAskedFor(_ place: UnsafePointer<CChar>) {
    let place = String(cString: place)
    // The loop that is being made waits for this to return, and a server looks at loops.
    do {
        try DiagnosticsThread(name: "MonitoredUV") { EnvironmentServer.serve(place) }.detach()
    } catch {
        warn("MONITOREDUV_DIAGNOSTICS=\(place) has no effect: \(error)")
    }
}

/// The server that the environment asks for, until the process ends.
private enum EnvironmentServer {
    private static let server = Lock<UVDiagnostics?>(nil)

    static func serve(_ place: String) {
        let options = UVDiagnostics.Options(
            token: ProcessInfo.processInfo.environment["MONITOREDUV_DIAGNOSTICS_TOKEN"]
        )
        do {
            let started =
                switch DiagnosticsPlace(place) {
                case .port(let host, let port)?: try UVDiagnostics.serve(host: host, port: port, options: options)
                case .socket(let pattern)?: try UVDiagnostics.serve(socketPattern: pattern, options: options)
                case nil: UVDiagnostics?.none
                }
            server.withLock { $0 = started }
            if started?.socketPath != nil { atexit { EnvironmentServer.removeSocket() } }
        } catch {
            warn("MONITOREDUV_DIAGNOSTICS=\(place) has no effect: \(error)")
        }
    }

    static func removeSocket() {
        guard let path = server.withLock({ $0?.socketPath }) else { return }
        try? FileManager.default.removeItem(atPath: path)
    }
}
