import Testing

@testable import MonitoredUV

#if os(Linux)
    @Suite struct JobNamesTests {
        actor Shop {
            var sold = 0
            func sell() async {
                sold += 1
                await Task.yield()
                sold += 1
            }
        }

        private actor Hidden {
            var count = 0
            func add() async {
                count += 1
                await Task.yield()
            }
        }

        struct Handler {
            func handle(_ request: Int, for user: String) async throws -> Int {
                let found = try await find(request)
                await Task.yield()
                return found
            }

            func find(_ number: Int) async throws -> Int {
                try await Task.sleep(for: .milliseconds(1))
                return number
            }
        }

        private func names(_ body: @escaping @Sendable (UVEventLoop) async throws -> Void) async throws -> [String] {
            try await withTasks(monitored: true, body).filter { $0.kind == .job }.map(\.callbackPrettyName)
        }

        @Test func thisRuntimesJobsAreKnown() { #expect(JobLayout.isKnown) }

        @Test func aTasksOwnNameIsItsJobsName_withEveryResumption() async throws {
            let names = try await names { loop in
                await Task(name: "sync-users", executorPreference: loop) {
                    for _ in 0..<5 { await Task.yield() }
                }.value
                await withDiscardingTaskGroup { group in
                    for number in 0..<3 { group.addTask(name: "child-\(number)") { await Task.yield() } }
                }
            }
            #expect(names.filter { $0 == "sync-users" }.count >= 6)
            for number in 0..<3 { #expect(names.contains("child-\(number)")) }
        }

        @Test
        func anUnnamedTaskIsCalledByTheFunctionThatItResumes_andLibraryFunctionsByWhoCalledThem()
            async throws
        {
            let names = try await names { loop in
                _ = try await Task(executorPreference: loop) { try await Handler().handle(3, for: "me") }.value
            }
            #expect(names.contains { $0.hasPrefix("closure #") && $0.contains("JobNamesTests") }, "the new task")
            #expect(names.contains { $0.hasSuffix("Handler.find(_:)") }, "after Task.sleep")
            #expect(names.contains { $0.hasSuffix("Handler.handle(_:for:)") }, "after its yield")
            #expect(!names.contains("Task.sleep"), "what wakes it")
            #expect(!names.contains { $0.contains("0x") || $0.contains("_Z") || $0.contains("swift_") })
        }

        @Test func anActorsTurnIsCalledByTheActorsType() async throws {
            let names = try await names { _ in await Shop().sell() }
            #expect(names.contains { $0.hasPrefix("actor ") && $0.hasSuffix("JobNamesTests.Shop") })
            #expect(names.contains { $0.hasSuffix("Shop.sell()") })
        }

        @Test func privateTypesAndFunctionsHaveTheirNames_withoutAddresses() async throws {
            let names = try await names { _ in await Hidden().add() }
            #expect(names.contains { $0.hasSuffix("JobNamesTests.Hidden") })
            #expect(names.contains { $0.hasSuffix("Hidden.add()") })
            #expect(!names.contains { $0.contains("unknown context") || $0.contains(" in _") })
        }

        @Test func nameCurrentDispatchNamesATasksLaterJobsAsWell_andNoOtherTasks() async throws {
            let names = try await names { loop in
                await Task(name: "before", executorPreference: loop) {
                    await Task.yield()
                    UVEventLoop.nameCurrentDispatch("GET /users/17")
                    await Task.yield()
                    await Task.yield()
                    UVEventLoop.nameCurrentDispatch("GET /orders")
                    await Task.yield()
                    UVEventLoop.nameCurrentDispatch(nil)
                    await Task.yield()
                }.value
                await Task(name: "another", executorPreference: loop) { await Task.yield() }.value
            }
            #expect(names.lastIndex(of: "before")! > names.lastIndex(of: "GET /orders")!)
            #expect(names.filter { $0 == "GET /users/_" }.count >= 3)
            #expect(names.filter { $0 == "GET /orders" }.count >= 2)
            #expect(names.filter { $0 == "another" }.count >= 2)
        }

        /// A scanner does not take the names of those who are at work. In a process of its own, whose names are used up.
        @Test func namesInUse_areNotForgotten() async {
            await #expect(processExitsWith: .success) {
                let states = try await withTasks(monitored: true) { loop in
                    let named = Task(name: "scheduler", executorPreference: loop) {
                        for _ in 0..<200 { await Task.yield() }
                    }
                    let route = Task(executorPreference: loop) {
                        UVEventLoop.nameCurrentDispatch("GET /stream")
                        for _ in 0..<200 { await Task.yield() }
                    }
                    for number in 0..<200 {
                        for path in 0..<100 { _ = CallbackName(passing: "scanned \(number) \(path)") }
                        await Task.yield()
                    }
                    await named.value
                    await route.value
                }
                let found = states.map(\.callbackPrettyName)
                precondition(found.count { $0 == "scheduler" } >= 200)
                precondition(found.count { $0 == "GET /stream" } >= 200)
            }
        }

        @Test func namingACallbackOutsideOfATaskNamesThatDispatchAlone() async throws {
            let states = try await withTasks(monitored: true) { loop in
                try await LoopOperation<Void>.wait(on: loop, "test") { operation in
                    loop.callSoon { UVEventLoop.nameCurrentDispatch("once") }
                    loop.callSoon(name: "next") { operation.resume(returning: ()) }
                }
            }
            #expect(states.filter { $0.callbackPrettyName == "once" }.count == 1)
        }
    }
#endif
