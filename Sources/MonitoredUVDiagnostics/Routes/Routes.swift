import Foundation
import MonitoredUV
import MonitoredUVMetrics
import NIOHTTP1

/// The server's answers, by path.
struct Routes: Sendable {
    let observer: Observer
    private let healthLimit: Duration

    init(_ observer: Observer, healthLimit: Duration) {
        self.observer = observer
        self.healthLimit = healthLimit
    }

    private static let paths: [String: @Sendable (Routes, Request) -> HTTPAnswer] = [
        "/metrics": { _, request in .metrics(request.headers["accept"].joined(separator: ",")) },
        "/snapshot": { _, _ in .json(Snapshots()) },
        "/stalls": { routes, request in .stalls(routes.observer.stalls, as: request["format"]) },
        "/stacks": { _, _ in .json(Stacks()) },
        "/trace": { _, request in .trace(last: request["last"], seconds: request["seconds"]) },
        "/healthz": { routes, _ in .health(limit: routes.healthLimit) },
    ]

    func answer(to request: Request) -> HTTPAnswer {
        guard let answer = Self.paths[request.path] else {
            return .error(.notFound, "there is \(Self.paths.keys.sorted().joined(separator: ", "))")
        }
        guard [.GET, .HEAD].contains(request.method) else {
            var answer = HTTPAnswer.error(.methodNotAllowed, "\(request.path) takes GET")
            answer.headers.add(name: "allow", value: "GET, HEAD")
            return answer
        }
        return answer(self, request)
    }
}

extension HTTPAnswer {
    /// - Parameter accepted: The types that the client accepts.
    fileprivate static func metrics(_ accepted: String) -> HTTPAnswer {
        let (snapshots, options) = (Monitoring.all.map { $0.snapshot() }, LoopSnapshot.PrometheusOptions(names: 20))
        if accepted.contains("application/openmetrics-text") {
            let text = LoopSnapshot.openMetricsText(snapshots, options: options)
            return .text(text, type: "application/openmetrics-text; version=1.0.0; charset=utf-8")
        }
        let text = LoopSnapshot.prometheusText(snapshots, options: options)
        return .text(text, type: "text/plain; version=0.0.4; charset=utf-8")
    }

    fileprivate static func stalls(_ stalls: [StallRecord], as format: String?) -> HTTPAnswer {
        switch format ?? "json" {
        case "json": .json(["stalls": stalls])
        case "collapsed": .text(stalls.collapsed)
        case "perf": .text(stalls.perfScript)
        case "pprof": HTTPAnswer(type: "application/octet-stream", .init(bytes: Pprof.profile(of: stalls)))
        default: .error(.badRequest, "format is json, collapsed, perf, or pprof")
        }
    }

    fileprivate static func trace(last: String?, seconds: String?) -> HTTPAnswer {
        let count = last.map { Int($0) ?? 0 } ?? .max
        if count < 1 { return .error(.badRequest, "last is a number of dispatches, from 1") }
        let period = seconds.map { Double($0) ?? 0 }
        if let period, !(period > 0 && period <= 1e9) {
            return .error(.badRequest, "seconds is a number above 0")
        }
        let trace = Monitoring.trace(of: Monitoring.all, dispatches: count, within: period.map { .seconds($0) })
        return HTTPAnswer(type: "application/json", .init(bytes: trace))
    }

    fileprivate static func health(limit: Duration) -> HTTPAnswer {
        let stuck = Monitoring.all.compactMap { loop in
            loop.snapshot().running.flatMap { $0.age < limit ? nil : Health.Stuck(loop.loopName, $0) }
        }
        return .json(Health(stuck), stuck.isEmpty ? .ok : .serviceUnavailable)
    }
}

/// Whether the process is well.
private struct Health: Encodable {
    struct Stuck: Encodable {
        let loop: String
        let name: String
        let nanoseconds: Int64

        init(_ loop: String, _ running: LoopSnapshot.Running) {
            self.loop = loop
            name = running.callbackName
            nanoseconds = running.age.nanoseconds
        }
    }

    let isHealthy: Bool
    let stuck: [Stuck]

    init(_ stuck: [Stuck]) {
        isHealthy = stuck.isEmpty
        self.stuck = stuck
    }
}

/// The snapshots of all loops.
private struct Snapshots: Encodable {
    /// In milliseconds since 1970.
    let time = Date.now.timeIntervalSince1970 * 1000
    let loops = Monitoring.all.map { $0.snapshot() }
}

/// The stacks of all loops at this moment.
private struct Stacks: Encodable {
    struct Loop: Encodable {
        let loop: String
        /// The dispatch that runs; `nil` if the loop waits.
        let name: String?
        let nanoseconds: Int64?
        let stack: [FrameRecord]

        init(_ monitoring: Monitoring) {
            loop = monitoring.loopName
            let running = monitoring.snapshot().running
            name = running?.callbackName
            nanoseconds = running?.age.nanoseconds
            stack = running == nil ? [] : monitoring.currentStack().map(FrameRecord.init)
        }
    }

    let loops = Monitoring.all.map(Loop.init)
}
