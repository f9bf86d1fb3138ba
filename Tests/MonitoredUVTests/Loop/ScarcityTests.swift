#if os(Linux)
    import ProgramRunner
    import Testing

    @testable import MonitoredUV

    /// With few descriptors left, or without another thread, everything works or throws: the program `scarcity`.
    @Suite struct ScarcityTests {
        private func outcome(_ operation: String, _ free: Int) async throws -> String {
            let output = Box("")
            try await waitForThread {
                succeed {
                    let path = try #require(builtProgram("scarcity"))
                    let result = try runProgram(path, [operation, "\(free)"])
                    output.value = result.status == 0 ? result.output : "status \(result.status): \(result.errors)"
                }
            }
            return output.value
        }

        @Test(arguments: [
            "loop", "loop run", "lookup", "watchdog", "group", "run", "runMain", "runMain workers", "server",
        ])
        func missingDescriptors_areAnError(_ operation: String) async throws {
            var outcomes: [String] = []
            for free in [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 100] {
                outcomes.append(try await outcome(operation, free))
            }
            #expect(outcomes.first == "EMFILE\n")
            #expect(outcomes.last == "done\n")
            #expect(outcomes.allSatisfy { ["EMFILE\n", "done\n"].contains($0) }, "\(outcomes)")
        }

        @Test(arguments: ["loop run", "lookup, and another with threads", "watchdog", "run", "runMain", "server"])
        func missingThreads_leaveTheRestWorking(_ operation: String) async throws {
            #expect(try await outcome(operation, -1) == "done\n")
        }

        @Test(arguments: ["lookup", "group"] + (ProcessExecutors.areReplaceable ? ["runMain workers"] : []))
        func missingThreads_areAnError(_ operation: String) async throws {
            #expect(try await outcome(operation, -1) == "EAGAIN\n")
        }
    }
#endif
