import Foundation
import ProgramRunner
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

    #if os(Linux)
        /// They can be ended like any others.
        @Test func children_ofAStallsReceiver_haveNoSignalsBlocked() async {
            await #expect(processExitsWith: .success) {
                var none = sigset_t()
                sigemptyset(&none)
                pthread_sigmask(SIG_SETMASK, &none, nil)  // Dispatch's threads block them
                let loop = try UVEventLoop()
                let blocked = Lock<[UInt64]>([])
                loop.monitoring.startWatchdog(limit: .milliseconds(1)) { _ in
                    succeed {
                        let result = try runProgram("/bin/grep", ["SigBlk", "/proc/self/status"])
                        let set = result.output.split { $0.isWhitespace }.compactMap { UInt64($0, radix: 16) }
                        blocked.withLock { $0 += set }
                    }
                }
                loop.callSoon { usleep(20_000) }
                try loop.run()
                while blocked.withLock({ $0.isEmpty }) { usleep(100) }
                precondition(blocked.withLock { $0[0] & (1 << UInt64(SIGTERM - 1) | 1 << UInt64(SIGINT - 1)) == 0 })
                try loop.close()
            }
        }

        @Test func warnings_doNotEndTheProcess_atTheLimitOfAFilesSize() async {
            await #expect(processExitsWith: .success) {
                let path = NSTemporaryDirectory() + "errors-\(UUID().uuidString)"
                let file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
                precondition(file >= 0 && dup2(file, STDERR_FILENO) == STDERR_FILENO)
                unlink(path)
                var limit = rlimit(rlim_cur: 100, rlim_max: 100)
                precondition(setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0)
                for _ in 0..<10 { warn(String(repeating: "x", count: 60)) }
                var status = stat()
                precondition(fstat(STDERR_FILENO, &status) == 0 && status.st_size == 100)
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
