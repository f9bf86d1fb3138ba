import Dispatch
import Synchronization
import Testing

@testable import MonitoredUV

/// The levels and names of loops that others run, whoever asks for them when.
struct ForeignLoopsTests {
    private func makeLoop(_ name: String) -> ForeignLoop {
        ForeignLoop(name: name, isSampled: false, isProbed: false) { _ in }
    }

    @Test func level_isRaisedWhileAnybodyAsks() {
        let (loops, loop) = (ForeignLoops(), makeLoop("asked for"))
        loops.open(loop)
        #expect(loop.monitoring.level == .off)
        let first = loops.add { _ in nil }
        let second = loops.add { _ in nil }
        #expect(loop.monitoring.level == .metrics)
        first.cancel()
        #expect(loop.monitoring.level == .metrics)
        second.cancel()
        second.cancel()
        #expect(loop.monitoring.level == .off)
        loop.close()
    }

    /// The watchdog that a configuration starts raises the level; if nobody wants the loop watched by then, it falls again.
    @Test func levelOfALoopThatIsConfiguredDuringTheCancel_isOff() throws {
        let (loops, loop) = (ForeignLoops(), makeLoop("configured late"))
        let (begun, canceled) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let subscription = loops.add { loop in
            begun.signal()
            canceled.wait()
            return loop.startWatchdog { _ in }
        }
        let opening = try LoopThread(name: "opens") { loops.open(loop) }
        begun.wait()
        subscription.cancel()
        canceled.signal()
        opening.join()
        #expect(loop.monitoring.level == .off)
        loop.close()
    }

    @Test func cancelBesideANewRegistration_leavesTheLevelRaised() throws {
        let (loops, loop) = (ForeignLoops(), makeLoop("canceled beside"))
        loops.open(loop)
        for _ in 0..<2000 {
            let first = loops.add { _ in nil }
            let canceling = try LoopThread(name: "cancels") { first.cancel() }
            let second = loops.add { _ in nil }
            canceling.join()
            #expect(loop.monitoring.level == .metrics)
            second.cancel()
            #expect(loop.monitoring.level == .off)
        }
        loop.close()
    }

    /// The names of such loops never come again, and must not use up the places for those of the program.
    @Test func names_areGivenBack() {
        let loop = makeLoop("passing")
        #expect(loop.name.id >= UInt32(CallbackName.limit))
        #expect(loop.monitoring.loopName == "passing")
        loop.close()
    }

    @Test func namesThatLookAlike_areTold() {
        let loops = ["a\u{1}", "a\u{2}"].map(makeLoop)
        #expect(loops.map(\.monitoring.loopName) == ["a_", "a_#2"])
        loops.forEach { $0.close() }
    }
}
