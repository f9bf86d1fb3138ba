import CMonitoredUV
import MonitoredUVPlatform

/// Settings from environment variables, for every loop of a program that you cannot change.
///
/// - `MONITOREDUV_LEVEL`: `off`, `metrics`, or `callbacks`, the level that loops start with.
/// - `MONITOREDUV_STALL_LIMIT`: the limit of a watchdog on every loop, such as `100ms`.
/// - `MONITOREDUV_SLOW_CALLBACKS`: the duration from which callbacks are logged.
/// - `MONITOREDUV_SNAPSHOT_SIGNAL`: a signal, such as `USR1`, that writes a snapshot of every loop to standard error.
/// - `MONITOREDUV_TRACE_SIGNAL`: a signal that writes a trace of all loops.
/// - `MONITOREDUV_TRACE_DIRECTORY`: the directory for those traces, by default the current one; with a stall limit,
///   stalls also write their traces there.
/// - `MONITOREDUV_DIAGNOSTICS`: where to serve diagnostics, such as `127.0.0.1:9464` or `/run/app-{PID}.sock`, in a
///   program that is linked with `MonitoredUVDiagnostics`; `MONITOREDUV_DIAGNOSTICS_TOKEN` is the server's token.
/// - `MONITOREDUV_NAMES`, `MONITOREDUV_RECORDED_DISPATCHES`, `MONITOREDUV_LIBRARY_MODULES`: see ``MonitoringOptions``.
///
/// Variables with values that cannot be parsed are ignored with a warning.
struct MonitoringEnvironment: Sendable {
    var level = MonitoringLevel.off
    var stallLimit: Duration?
    var slowCallbacks: Duration?
    var snapshotSignal: Int32?
    var traceSignal: Int32?
    var traceDirectory: String?
    var diagnostics: String?
    var names: Int?
    var recordedDispatches: Int?
    var libraryModules: Set<String> = []
    /// Messages about variables with values that could not be parsed.
    var problems: [String] = []

    /// The settings of the process, read when its first loop is made.
    static let shared: MonitoringEnvironment = {
        let environment = MonitoringEnvironment { name in getenv(name).map { String(cString: $0) } }
        (environment.problems + problems(ofNames: namesOfAll)).forEach { warn($0) }
        if let names = environment.names { MonitoringOptions.current.nameLimit = names }
        if let count = environment.recordedDispatches { MonitoringOptions.current.recordedDispatches = count }
        MonitoringOptions.current.libraryModules.formUnion(environment.libraryModules)
        environment.watchSignals()
        if let place = environment.diagnostics, !muv_ask_for_diagnostics(place) {
            warn("MONITOREDUV_DIAGNOSTICS has no effect: the program is not linked with MonitoredUVDiagnostics")
        }
        return environment
    }()

    init(_ variable: (String) -> String?) {
        func read<Value>(_ name: String, _ what: String, _ parse: (String) -> Value?) -> Value? {
            guard let text = variable("MONITOREDUV_\(name)"), !text.isEmpty else { return nil }
            if let value = parse(text) { return value }
            problems.append("MONITOREDUV_\(name)=\(text) is ignored: it takes \(what)")
            return nil
        }
        let limit = "a duration of 1 ms or more, such as 100ms or 0.1s"
        stallLimit = read("STALL_LIMIT", limit) { Self.duration($0).flatMap { $0 >= .milliseconds(1) ? $0 : nil } }
        slowCallbacks = read("SLOW_CALLBACKS", "a duration, such as 100ms or 0.1s", Self.duration)
        let signals =
            "HUP, USR1, USR2, WINCH, URG, or the number of a signal other than KILL, STOP, and those of faults"
        snapshotSignal = read("SNAPSHOT_SIGNAL", signals, Self.signal)
        traceSignal = read("TRACE_SIGNAL", signals, Self.signal)
        traceDirectory = read("TRACE_DIRECTORY", "a directory that can be written to") {
            Self.canBeWrittenTo($0) ? $0 : nil
        }
        diagnostics = read("DIAGNOSTICS", "a port, an address with one, or the path of a socket") {
            DiagnosticsPlace($0) == nil ? nil : $0
        }
        names = read("NAMES", "a number from 1 to 4096") { Int($0).flatMap { (1...4096).contains($0) ? $0 : nil } }
        recordedDispatches = read("RECORDED_DISPATCHES", "a number from 1 to \(1 << 24)") { text in
            Int(text).flatMap { (1...1 << 24).contains($0) ? $0 : nil }
        }
        libraryModules = Set(
            (variable("MONITOREDUV_LIBRARY_MODULES") ?? "").split { ", ".contains($0) }.map(String.init)
        )
        // A signal, or a server, has something to report only if something was recorded.
        if snapshotSignal != nil || traceSignal != nil || diagnostics != nil { level = .metrics }
        let levels = MonitoringLevel.allCases
        level = read("LEVEL", "off, metrics, or callbacks") { text in levels.first { "\($0)" == text } } ?? level
    }

    private static let names = [
        "LEVEL", "STALL_LIMIT", "SLOW_CALLBACKS", "SNAPSHOT_SIGNAL", "TRACE_SIGNAL", "TRACE_DIRECTORY",
        "DIAGNOSTICS", "DIAGNOSTICS_TOKEN", "NAMES", "RECORDED_DISPATCHES", "LIBRARY_MODULES",
    ]

    /// Returns a message for each name with the prefix of these variables that is not one of them.
    static func problems(ofNames names: [String]) -> [String] {
        names.filter { $0.hasPrefix("MONITOREDUV_") && !Self.names.contains(String($0.dropFirst(12))) }.sorted().map {
            "\($0) is unknown and ignored; the variables are \(Self.names.map { "MONITOREDUV_\($0)" }.joined(separator: ", "))"
        }
    }

    private static var namesOfAll: [String] {
        var names: [String] = []
        let first: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = environ
        guard var next = first else { return [] }  // after clearenv
        while let entry = next.pointee {
            names.append(String(String(cString: entry).prefix { $0 != "=" }))
            next += 1
        }
        return names
    }

    private static func canBeWrittenTo(_ directory: String) -> Bool {
        var status = stat()
        return stat(directory, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
            && access(directory, R_OK | W_OK | X_OK) == 0
    }

    /// Parses a duration, such as `100ms`, `0.1s`, or `250us`.
    static func duration(_ text: String) -> Duration? {
        let units: [(String, Duration)] = [("us", .microseconds(1)), ("ms", .milliseconds(1)), ("s", .seconds(1))]
        guard let (name, unit) = units.first(where: { text.hasSuffix($0.0) }),
            let number = Double(text.dropLast(name.count)), number > 0, number < 1e9
        else { return nil }
        return unit * number
    }

    private static func signal(_ text: String) -> Int32? {
        let known = ["HUP": SIGHUP, "USR1": SIGUSR1, "USR2": SIGUSR2, "WINCH": SIGWINCH, "URG": SIGURG]
        let name = text.hasPrefix("SIG") ? String(text.dropFirst(3)) : text
        let refused = [SIGKILL, SIGSTOP] + Platform.faultSignals
        return known[name] ?? Int32(text).flatMap { (1..<65).contains($0) && !refused.contains($0) ? $0 : nil }
    }

    private func watchSignals() {
        if let snapshotSignal {
            watch(snapshotSignal, of: "SNAPSHOT_SIGNAL") {
                for loop in Monitoring.all { write(toStandardError: "\(loop.snapshot())\n") }
            }
        }
        if let traceSignal {
            let traces = TraceFiles(directory: traceDirectory ?? ".")
            watch(traceSignal, of: "TRACE_SIGNAL") { traces.write(Monitoring.all.map(\.loop.watchdog)) }
        }
    }

    private func watch(_ signal: Int32, of variable: String, _ task: @escaping @Sendable () -> Void) {
        guard let reason = WatchdogThread.shared.onSignal(signal, task) else { return }
        warn("MONITOREDUV_\(variable): signal \(signal) has no effect: \(reason)")
    }

    /// Applies the settings to a loop that was made, and tells observers of it.
    func apply(to loop: Monitoring) {
        defer { LoopObservers.notify(loop) }
        if let stallLimit {
            loop.startWatchdog(limit: stallLimit, traces: traceDirectory.map { TraceFiles(directory: $0) })
        }
        if let slowCallbacks { loop.logSlowCallbacks(over: slowCallbacks) }
    }
}
