import Testing

@testable import MonitoredUV

struct DescriptionTests {
    @Test func snapshotAtLevelOff_saysSo() throws {
        try withLoop { loop in
            loop.callSoon {}
            try loop.run()
            let text = "\(loop.monitoring.snapshot())"
            #expect(text.hasPrefix("loop \(loop.name): no data at level off. Set monitoring.level"))
        }
    }

    @Test(arguments: [
        (Duration.zero, "0 ns"), (.nanoseconds(820), "820 ns"), (.nanoseconds(1000), "1.0 us"),
        (.microseconds(45), "45 us"),
        (.nanoseconds(9_949), "9.9 us"), (.nanoseconds(9_950), "10 us"), (.microseconds(1234), "1.2 ms"),
        (.milliseconds(203), "203 ms"), (.seconds(75), "75 s"),
    ])
    func brief_hasTwoOrThreeDigits(_ duration: Duration, _ text: String) { #expect(duration.brief == text) }

    @Test func state_isOneLineForALog() throws {
        try withLoop { loop in
            var text = ""
            loop.setMonitor { text = "\($0)" }
            loop.callSoon(name: "flush cache") {}
            try loop.run()
            #expect(text.hasPrefix("flush cache (posted) ran "))
            #expect(text.hasSuffix(", handles 0"))
        }
    }

    @Test func time_namesItsParts() {
        let time = LoopTime(
            callbackNanoseconds: 1_100_000_000,
            monitorNanoseconds: 43_000_000,
            pollNanoseconds: 2_000,
            overheadNanoseconds: 400_000
        )
        #expect("\(time)" == "callbacks 1.1 s, monitor 43 ms, overhead 400 us, waiting for I/O 2.0 us")
    }
}
