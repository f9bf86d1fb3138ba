import Foundation
import MonitoredUV
import Testing

@testable import MonitoredUVDiagnostics

/// Stalls in the formats of other tools.
@Suite struct StallFormatsTests {
    /// A stall of `milliseconds`, with functions from the innermost to the outermost.
    private func stall(_ milliseconds: Int64, _ functions: [String], loop: String = "a loop") -> StallRecord {
        StallRecord(
            start: 1,
            id: "1",
            loop: loop,
            name: "name",
            kind: "timer",
            phase: "ended",
            began: 1_700_000_000_000,
            duration: milliseconds * 1_000_000,
            limit: 1,
            cause: .cpu,
            call: nil,
            dispatches: nil,
            stack: functions.map { FrameRecord(function: $0, file: "/App.swift", line: 7, role: "call", own: true) }
        )
    }

    @Test func collapsed_addsUpEqualStacks() {
        let stalls = [
            stall(100, ["f()", "main"]), stall(50, ["g;\n()", "main"]), stall(20, ["f()", "main"]), stall(1, []),
        ]
        #expect(stalls.collapsed == "a loop;main;f() 120\na loop;main;g: () 50\n")
    }

    @Test func perfScript_hasASampleForEachTenMilliseconds() {
        let text = [stall(100, ["f() -> Int", "main"])].perfScript
        let samples = text.components(separatedBy: "\n\n").filter { !$0.isEmpty }
        #expect(samples.count == 10)
        #expect(
            samples[0] == """
                a_loop 1/1 1700000000.000000: 10000000 stall: 
                \t               0 f() -> Int (/App.swift)
                \t               0 main (/App.swift)
                """
        )
        #expect(samples[9].hasPrefix("a_loop 1/1 1700000000.090000: "))
        #expect([stall(3_600_000, ["f()"])].perfScript.components(separatedBy: "stall:").count == 4001)
    }

    @Test func pprof_canBeReadBack() throws {
        let profile = Fields(
            Pprof.profile(of: [
                stall(100, ["f()", "main"]), stall(300, ["g()", "main"], loop: "другой"), stall(5, []),
            ])
        )
        let strings = profile.texts(6)
        #expect(strings.first == "")
        let types = profile.messages(1).map { [strings[$0.number(1)], strings[$0.number(2)]] }
        #expect(types == [["stalls", "count"], ["time", "nanoseconds"]])
        let functions = Dictionary(
            uniqueKeysWithValues: profile.messages(5).map { ($0.number(1), strings[$0.number(2)]) }
        )
        let locations = Dictionary(
            uniqueKeysWithValues: profile.messages(4).map { ($0.number(1), functions[$0.messages(4)[0].number(1)]) }
        )
        #expect(profile.messages(4).allSatisfy { $0.messages(4)[0].number(2) == 7 })
        let samples = profile.messages(2)
        #expect(samples.map { $0.packed(1).map { locations[$0] } } == [["f()", "main"], ["g()", "main"]])
        #expect(samples.map { $0.packed(2) } == [[1, 100_000_000], [1, 300_000_000]])
        #expect(samples.map { strings[$0.messages(3)[0].number(2)] } == ["a loop", "другой"])
    }
}

/// The fields of a message of Protocol Buffers.
private struct Fields {
    private var numbers: [Int: Int] = [:]
    private var contents: [Int: [[UInt8]]] = [:]

    init(_ bytes: [UInt8]) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let tag = Self.number(&rest)
            if tag & 7 == 0 {
                numbers[tag >> 3] = Self.number(&rest)
            } else {
                let count = Self.number(&rest)
                contents[tag >> 3, default: []].append(Array(rest.prefix(count)))
                rest = rest.dropFirst(count)
            }
        }
    }

    private static func number(_ bytes: inout ArraySlice<UInt8>) -> Int {
        var (value, shift) = (0, 0)
        while let byte = bytes.popFirst() {
            value |= Int(byte & 0x7f) << shift
            shift += 7
            if byte & 0x80 == 0 { break }
        }
        return value
    }

    func number(_ field: Int) -> Int { numbers[field] ?? 0 }
    func messages(_ field: Int) -> [Fields] { (contents[field] ?? []).map(Fields.init) }
    func texts(_ field: Int) -> [String] { (contents[field] ?? []).map { String(decoding: $0, as: UTF8.self) } }
    func packed(_ field: Int) -> [Int] {
        var rest = (contents[field]?.first ?? [])[...]
        var values: [Int] = []
        while !rest.isEmpty { values.append(Self.number(&rest)) }
        return values
    }
}
