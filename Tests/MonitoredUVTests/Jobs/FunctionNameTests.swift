import Testing

@testable import MonitoredUV

@Suite struct FunctionNameTests {
    @Test(arguments: [
        (
            "(1) suspend resume partial function for App.Store.put(Swift.Int, by: Swift.String) async throws -> ()",
            "App.Store.put(_:by:)"
        ),
        ("(2) await resume partial function for static App.Main.main() async throws -> ()", "App.Main.main()"),
        ("merged App.Store.put(Swift.Int) -> ()", "merged App.Store.put(_:)"),
        ("App.generic<A where A: Swift.Sendable>(A) async -> A", "App.generic(_:)"),
        (
            "closure #1 @Sendable () async throws -> () in App.Store.put(by: (Swift.Int) -> Swift.Int) -> ()",
            "closure #1 in App.Store.put(by:)"
        ),
        (
            "closure #2 (inout Swift.TaskGroup<Swift.Int>) async -> () in closure #1 () -> () in App.run() -> ()",
            "closure #2 in closure #1 in App.run()"
        ),
        (
            "partial apply forwarder for closure #1 @Sendable () async -> () in App.run() -> ()",
            "closure #1 in App.run()"
        ),
        ("generic specialization <Swift.Int> of App.generic<A>(A) async -> A", "App.generic(_:)"),
        ("static App.Money.< infix(App.Money, App.Money) -> Swift.Bool", "App.Money.< infix(_:_:)"),
        ("static App.Box.<<= infix<A>(A, App.Box<A>) -> ()", "App.Box.<<= infix(_:_:)"),
        ("static App.- prefix(App.Money) -> App.Money", "App.- prefix(_:)"),
        ("App.Box<A>.get() -> A", "App.Box.get()"),
        ("async_Main", "main"),
        ("closure #3 @Sendable () async -> () in ", "closure #3 in main"),
        ("closure #1 () async -> () in App", "closure #1 in main"),
        ("closure #2 () -> () in closure #1 () async -> () in my_app", "closure #2 in closure #1 in main"),
        (
            "function signature specialization <Arg[1] = [Constant Propagated Function : implicit closure #1 () async -> "
                + "[Swift.Int] in App.f() async -> ()]> of reabstraction thunk helper from @escaping () -> () to ()",
            "App.f()"
        ),
        (
            "function signature specialization <Arg[0] = [Constant Propagated Function : App.g() async -> ()], Arg[1] = "
                + "[Dead]> of reabstraction thunk helper from @escaping () -> () to ()",
            "App.g()"
        ),
        (
            "closure #1 @Sendable () async -> () in MonitoredUV.UVTCPServer.serve(onError: Swift.Int) async -> ()",
            "UVTCPServer.serve(onError:)"
        ),
        ("(1) suspend resume partial function for App.Store.size.getter : Swift.Int", "App.Store.size"),
        ("(extension in App):Swift.String.send(to: App.Peer) async -> ()", "Swift.String.send(to:)"),
        (
            "default argument 1 of (extension in App):Swift.String.send(to: App.Peer) -> ()",
            "default argument 1 of Swift.String.send(to:)"
        ),
        ("App.body@Sendable () async throws -> ()", "App.body()"),
        ("inner #1 (Swift.Int) async -> () in App.outer(a: Swift.Int) async -> ()", "inner #1(_:) in App.outer(a:)"),
        ("protocol witness for App.P.run() async -> () in conformance App.S : App.P in App", "App.P.run()"),
        (
            "(1) await resume partial function for App.(hidden in _0F3A5B6C7D8E9F00112233445566AABB)(Swift.Int) async -> ()",
            "App.hidden(_:)"
        ),
        ("App.(Secret in _0F3A5B6C7D8E9F00112233445566AABB).run(by: Swift.Int) async -> ()", "App.Secret.run(by:)"),
        ("Swift.Task< where B == Swift.Never>.value.getter : A", "Swift.Task.value"),
        ("App.f([Swift.String : Swift.Int], _: (Swift.Int, Swift.Int)) async -> ()", "App.f(_:_:)"),
    ])
    func aDemangledFunctionBecomesANameForPeople(demangled: String, name: String) {
        #expect(FunctionName(demangled: demangled)?.text == name)
    }

    @Test(arguments: [
        "reabstraction thunk helper from @escaping @isolated(any) () -> () to ()",
        "_ZL31task_future_wait_resume_adapterPN5swift12AsyncContextE",
        "swift_task_switch",
        "outlined destroy of (Swift.Int, App.Store)",
        "",
    ])
    func glueHasNoName(symbol: String) { #expect(FunctionName(demangled: symbol) == nil) }

    @Test(arguments: [
        (
            "static Swift.Task< where A == Swift.Never, B == Swift.Never>.sleep(nanoseconds: Swift.UInt64) async throws -> ()",
            true
        ),
        (
            "(1) await resume partial function for MonitoredUV.UVTCPConnection.write([Swift.UInt8]) async throws -> ()",
            true
        ),
        ("App.main() async -> ()", false),
        ("merged App.load() -> ()", true),
        ("closure #1 () async -> () in App", false),
        ("NIOCore.EventLoopFuture.get() async throws -> A", true),
        ("closure #1 () -> () in _NIOFileSystem.FileHandle.close() async throws -> ()", true),
        ("closure #1 () -> () in MonitoredUVApp.main() -> ()", false),
        // What the compiler makes of a library's declarations stands in the program.
        ("default argument 0 of Swift.UnsafeRawPointer.load<A>(fromByteOffset: Swift.Int, as: A.Type) -> A", true),
        ("outlined destroy of Swift.Array<App.Store>", true),
        ("generic specialization <App.Store> of static Swift.Array.== infix([A], [A]) -> Swift.Bool", true),
        ("one-time initialization function for App.table", false),
        // An extension belongs to the module that it stands in.
        ("(extension in App):Swift.String.words(of: App.Store) -> Swift.Int", false),
        ("static (extension in App):Swift.String.words() -> Swift.Int", false),
        ("closure #1 () -> () in (extension in App):Swift.String.words() -> Swift.Int", false),
        ("(extension in Swift):Swift.Sequence.reversed() -> [A]", true),
        ("App.words(in: (extension in Swift):Swift.Sequence.Words) -> ()", false),
        ("Foundation.JSONDecoder.decode<A>(A.Type, from: Foundation.Data) throws -> A", true),
    ])
    func functionsOfLibrariesAreToldFromTheUsers(demangled: String, isLibrary: Bool) {
        #expect(FunctionName(demangled: demangled)?.isLibrary == isLibrary)
    }

    /// In a process of its own: the options are the process's.
    @Test func modulesThatTheProgramLists_areLibraries() async {
        await #expect(processExitsWith: .success) {
            let function = "Framework.Router.respond(to: Framework.Request) async -> ()"
            precondition(FunctionName(demangled: function)?.isLibrary == false)
            MonitoringOptions.current.libraryModules = ["Framework"]
            precondition(FunctionName(demangled: function)?.isLibrary == true)
            precondition(FunctionName(demangled: "FrameworkApp.main() -> ()")?.isLibrary == false)
        }
    }

    @Test func nonsenseNeitherTrapsNorHangs() {
        for text in [
            "(((", "App.f(", "App.f<", "> of ", "closure #", "App.f(a: <)", ". in .", "(1) partial function for ",
        ] {
            _ = FunctionName(demangled: text)
        }
    }
}
