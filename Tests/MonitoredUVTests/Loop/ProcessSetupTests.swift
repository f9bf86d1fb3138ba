import Foundation
import Testing

@testable import MonitoredUV

/// Each in a process of its own, whose signals and descriptors it changes.
struct ProcessSetupTests {
    /// libuv's `uv__close` asserts that descriptors are above 2.
    @Test func loop_works_whenStandardDescriptorsWereClosed() async {
        await #expect(processExitsWith: .success) {
            close(0)
            close(1)
            let loop = try UVEventLoop()
            for _ in 0..<2 {
                try loop.pair { client, accepted in
                    try accepted.echo()
                    try client.write("x")
                    try client.startReading { _ in
                        client.close()
                    } onEnd: { _ in
                    }
                }
                try loop.run()
            }
            try loop.close()
        }
    }

    @Test func sigpipe_cannotKill_whenResetToItsDefault_beforeTheRun() async {
        await #expect(processExitsWith: .success) {
            let loop = try UVEventLoop()
            signal(SIGPIPE, SIG_DFL)
            try loop.pair { client, accepted in
                try accepted.closeReset()
                for _ in 0..<5 {
                    usleep(2000)
                    try? client.write("x")
                }
                client.close()
            }
            try loop.run()
            try loop.close()
        }
    }

    #if os(Linux)
        /// Neither ignored nor blocked, wherever it is started.
        @Test(arguments: [false, true])
        func children_haveTheDefaultOfSIGPIPE(_ isInsideACallback: Bool) async {
            await #expect(processExitsWith: .success) { [isInsideACallback] in
                @Sendable func check() throws {
                    let result = try runProgram("/bin/grep", ["-E", "Sig(Blk|Ign)", "/proc/self/status"])
                    let sets = result.output.split { $0.isWhitespace }.compactMap { UInt64($0, radix: 16) }
                    precondition(sets.count == 2)
                    precondition(sets.allSatisfy { $0 & 1 << UInt64(SIGPIPE - 1) == 0 })
                }
                let loop = try UVEventLoop()
                if isInsideACallback {
                    loop.callSoon { succeed { try check() } }
                    try loop.run()
                } else {
                    try check()
                }
                try loop.close()
            }
        }
    #endif

    @Test func handlerOfTheProgram_isLeftInPlace() async {
        await #expect(processExitsWith: .exitCode(17)) {
            signal(SIGPIPE) { _ in _exit(17) }
            let loop = try UVEventLoop()
            loop.callSoon { raise(SIGPIPE) }
            try loop.run()
        }
    }
}
