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

    /// Before the run, which ignores the signal again, and inside it, where the thread does not let it through.
    @Test(arguments: [false, true])
    func sigpipe_cannotKill_whenResetToItsDefault(_ isInsideACallback: Bool) async {
        await #expect(processExitsWith: .success) { [isInsideACallback] in
            let loop = try UVEventLoop()
            if !isInsideACallback { signal(SIGPIPE, SIG_DFL) }
            try loop.pair { client, accepted in
                if isInsideACallback { signal(SIGPIPE, SIG_DFL) }
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
}
