import Dispatch
import Foundation
import MonitoredUV
import Testing

@testable import MonitoredUVDiagnostics

@Suite struct RoutesTests {
    @Test func metrics_areThoseOfAllLoops() throws {
        try withServer { caller in
            try withLoop { loop in
                let answer = try caller.call("/metrics")
                #expect(answer.status == 200)
                #expect(answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
                #expect(answer.body.contains("uv_timers{loop=\"\(loop.name)\"}"))
            }
        }
    }

    @Test func snapshots_canBeDecoded() throws {
        struct Answer: Decodable {
            let time: Double
            let loops: [LoopSnapshot]
        }
        try withServer { caller in
            try withLoop { loop in
                loop.monitoring.level = .metrics
                loop.callSoon(name: "work") {}
                try loop.run()
                let answer = try caller.call("/snapshot").json(Answer.self)
                let snapshot = try #require(answer.loops.first { $0.loopNames == [loop.name] })
                #expect(snapshot.names.map(\.callbackName) == ["work"])
                #expect(abs(answer.time / 1000 - Date.now.timeIntervalSince1970) < 3600)
            }
        }
    }

    @Test func openMetrics_areForThoseWhoAcceptThem() throws {
        try withServer { caller in
            let accept =
                "accept: application/openmetrics-text;version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
            let open = try caller.call("/metrics", "GET", [accept])
            #expect(open.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8")
            #expect(open.body.hasSuffix("# EOF\n"))
            try #expect(
                caller.call("/metrics", "GET", ["accept: text/plain"]).headers["content-type"]?.hasPrefix("text/plain")
                    == true
            )
        }
    }

    @Test(arguments: [
        "/trace?last=0", "/trace?last=x", "/trace?seconds=0", "/trace?seconds=-1", "/trace?seconds=nan",
        "/trace?seconds=1e300", "/trace?seconds=", "/stalls?format=xml",
    ])
    func badParameter_isAnError(_ path: String) throws {
        try withServer { caller in try #expect(caller.call(path).status == 400, "\(path)") }
    }

    /// While a loop is stuck: what holds it up, its stack now, and that the process is not well; and then that it ended.
    @Test func stuckLoop_isSeenWhileItLasts() throws {
        var options = UVDiagnostics.Options()
        options.stallLimit = .milliseconds(20)
        options.healthLimit = .milliseconds(30)
        try withServer(options) { caller in
            let released = DispatchSemaphore(value: 0)
            let group = try UVEventLoopGroup(count: 1, name: "diagnosed")
            let loop = group.next()
            // The server looks for new loops once a second.
            loop.monitoring.level = .metrics
            loop.execute(name: "GET /users/42") { waitUntilReleased(released) }
            defer { released.signal() }
            func stall() throws -> Stall? {
                try caller.call("/stalls").json(Stalls.self).stalls.last { $0.loop == loop.name }
            }
            while try stall() == nil {}
            let began = try #require(try stall())
            #expect(began.phase != "ended")
            #expect(began.name == "GET /users/42")
            #expect(began.stack.contains { $0.function.hasSuffix("waitUntilReleased(_:)") && $0.own })
            #expect(began.duration >= 20_000_000 && began.limit == 20_000_000)
            try #expect(stall()!.duration > began.duration)

            let stacks = try caller.call("/stacks").json(Stacks.self).loops
            let stack = try #require(stacks.first { $0.loop == loop.name })
            #expect(stack.name == "GET /users/42")
            #expect(stack.stack.contains { $0.function.hasSuffix("waitUntilReleased(_:)") })
            while try caller.call("/healthz").status != 503 {}
            try #expect(caller.call("/healthz").body.contains(#""loop":"\#(loop.name)""#))

            released.signal()
            while try stall()?.phase != "ended" {}
            let ended = try #require(try stall())
            #expect(ended.id == began.id && ended.duration > began.duration)
            try #expect(stall()!.duration == ended.duration)
            let collapsed = try caller.call("/stalls?format=collapsed").body
            #expect(collapsed.contains("\(loop.name);"))
            #expect(collapsed.split(separator: "\n").allSatisfy { Int($0.split(separator: " ").last!) != nil })
            group.shutdown()
        }
    }

    @Test func trace_hasTheLastDispatches() throws {
        try withServer { caller in
            try withLoop { loop in
                loop.monitoring.level = .metrics
                for _ in 0..<10 { loop.callSoon(name: "traced by a test") {} }
                try loop.run()
                func count(_ path: String) throws -> Int {
                    try caller.call(path).body.components(separatedBy: "traced by a test").count - 1
                }
                try #expect(count("/trace") >= 10)
                let few = try count("/trace?last=2")
                #expect((1..<10).contains(few))
                try #expect(count("/trace?seconds=1000") >= 10)
                try #expect(count("/trace?seconds=1e-9") == 0)
            }
        }
    }
}

private struct Stalls: Decodable { let stalls: [Stall] }

private struct Stall: Decodable {
    let id, loop, name, phase: String
    let duration, limit: Int
    let stack: [Frame]
}

private struct Frame: Decodable {
    let function: String
    let own: Bool
}

private struct Stacks: Decodable {
    struct Loop: Decodable {
        let loop: String
        let name: String?
        let stack: [Frame]
    }
    let loops: [Loop]
}

@inline(never)
private func waitUntilReleased(_ released: DispatchSemaphore) {
    released.wait()
    withExtendedLifetime(released) {}
}

/// A fresh loop for `body`, closed behind it.
private func withLoop(_ body: (UVEventLoop) throws -> Void) throws {
    let loop = try UVEventLoop()
    do { try body(loop) } catch { Issue.record(error) }
    try loop.close()
}
