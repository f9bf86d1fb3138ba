import Foundation
import Testing

@testable import MonitoredUV

@Suite struct OpenNamesTests {
    @Test func names_keepTheirNumbers_andTheLastStandsForTheRest() {
        let names = OpenNames(["a", "b"], limit: 5)
        #expect(names.numbers == 0..<2)
        #expect(["b", "c", "a", "c", "d"].map(names.number) == [1, 2, 0, 2, 3])
        #expect(names.numbers == 0..<5)
        #expect(["e", "f", "_OTHER"].map(names.number) == [4, 4, 4])
        #expect((0..<6).map { names[$0] } == ["a", "b", "c", "d", "_OTHER", "_OTHER"])
    }

    @Test func membersOfKindsAndSources_haveTheirOwnNames() {
        let kinds: [CallbackKind] = [
            .timer, .posted, .job, .mainQueue, .async, .connection, .getaddrinfo, .connect, .read, .write, .shutdown,
            .close, .hook, .release,
        ]
        let sources: [LagSource] = [.timer, .local, .remote, .job, .io, .completion]
        #expect(
            kinds.map(\.rawValue) == [
                "timer", "posted", "job", "mainQueue", "async", "connection", "getaddrinfo", "connect", "read", "write",
                "shutdown", "close", "hook", "release",
            ]
        )
        #expect(sources.map(\.rawValue) == ["timer", "local", "remote", "job", "io", "completion"])
        #expect(Array(CallbackKind.allCases.prefix(kinds.count)) == kinds)
        #expect(Array(LagSource.allCases.prefix(sources.count)) == sources)
    }

    /// A program that reads snapshots may be older than the one that made them.
    @Test func snapshotWithUnknownKindsAndSources_isDecoded_andEncodedAgain() throws {
        let loop = try UVEventLoop()
        var snapshot = loop.monitoring.snapshot()
        try loop.close()
        snapshot.wallTimes[.timer] = DurationHistogram()
        snapshot.running = .init(callbackName: "it", kind: .timer, nanoseconds: 5)
        var text = String(decoding: try JSONEncoder().encode(snapshot), as: UTF8.self)
        #expect(text.contains("\"timer\""))
        text = text.replacingOccurrences(of: "\"timer\"", with: "\"a kind to come\"")
        let decoded = try JSONDecoder().decode(LoopSnapshot.self, from: Data(text.utf8))
        #expect(decoded.running?.kind.rawValue == "a kind to come")
        #expect(decoded.wallTimes.keys.map(\.rawValue) == ["a kind to come"])
        let again = String(decoding: try JSONEncoder().encode(decoded), as: UTF8.self)
        #expect(again.contains("\"a kind to come\""))
        #expect(!again.contains("\"timer\""))
    }
}
