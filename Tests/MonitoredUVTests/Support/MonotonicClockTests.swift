import CLibUV
import Testing

@testable import MonitoredUV

struct MonotonicClockTests {
    @Test func clock_isLibuvs() {
        let clock = MonotonicClock()
        defer { clock.free() }
        let before = uv_hrtime()
        let now = clock.now()
        #expect((before...uv_hrtime()).contains(now))
        #expect(MonotonicClock.read() >= now)
    }

    @Test(
        arguments: [
            (Duration.zero, 0), (.seconds(-1), 0), (.nanoseconds(1), 1), (.milliseconds(3), 3_000_000),
            (Duration(secondsComponent: 0, attosecondsComponent: 1), 1),
            (.seconds(Int64.max), 4_000_000_000_000_000_000),
            (.seconds(Int64.max) + .seconds(Int64.max), 4_000_000_000_000_000_000),
            (.seconds(3_999_999_999), 3_999_999_999_000_000_000),
            (.nanoseconds(18_446_744_073), 18_446_744_073), (.nanoseconds(18_446_744_074), 18_446_744_074),
            (Duration(secondsComponent: 18, attosecondsComponent: 446_744_073_709_551_615), 18_446_744_074),
            (Duration(secondsComponent: 18, attosecondsComponent: 446_744_073_709_551_616), 18_446_744_074),
        ] as [(Duration, UInt64)]
    )
    func nanosecondsClamped(_ duration: Duration, _ expected: UInt64) {
        #expect(duration.nanosecondsClamped == expected)
    }
}
