import Testing

@testable import MonitoredUV

struct BlockingCallTests {
    private typealias Frame = (frame: StackFrame, library: String?)

    private func c(_ function: String, _ library: String? = "libc.so.6") -> Frame {
        (StackFrame(function: function, isOwn: false, isSwift: false), library)
    }

    private func swift(_ function: String, isOwn: Bool) -> Frame { (StackFrame(function: function, isOwn: isOwn), nil) }

    @Test func outermostCallOfTheSystem_isMeant() {
        let own = swift("App.load()", isOwn: true)
        #expect(
            BlockingCall.name([c("__poll"), c("__res_context_send", "libresolv.so.2"), c("getaddrinfo"), own])
                == "getaddrinfo"
        )
        #expect(BlockingCall.name([c("fsync"), own]) == "fsync")
        #expect(BlockingCall.name([c("__libc_recv"), own]) == "recv")
        #expect(BlockingCall.name([c("fsync"), c("sqlite3_step", "libsqlite3.so.0"), own]) == "fsync")
        // Behind the program's own function whatever called that does not matter.
        #expect(BlockingCall.name([c("usleep"), own, c("qsort"), own]) == "usleep")
    }

    @Test func inAStaticProgram_theOutermostThatIsKnownIsMeant() {
        let own = swift("App.load()", isOwn: true)
        #expect(BlockingCall.name([c("clock_nanosleep"), c("sqlite3_sleep", nil), own]) == "clock_nanosleep")
        #expect(
            BlockingCall.name([c("__poll", nil), c("getaddrinfo", nil), c("own_c_function", nil), own]) == "getaddrinfo"
        )
        let semaphore = [
            c("sem_timedwait"), c("_dispatch_sema4_timedwait", nil), c("_dispatch_semaphore_wait_slow", nil),
        ]
        #expect(BlockingCall.name(semaphore + [own]) == "dispatch_semaphore_wait")
    }

    @Test func whereTheKernelIsCalledWithoutAFunction_theSwiftFunctionIsMeant() {
        let lock = [
            c("syscall"), swift("Synchronization._MutexHandle._lock()", isOwn: false), swift("App.f()", isOwn: true),
        ]
        #expect(BlockingCall.name(lock) == "Synchronization._MutexHandle._lock()")
        #expect(BlockingCall.name([c("syscall"), swift("App.f()", isOwn: true)]) == nil)
        #expect(BlockingCall.name([]) == nil)
    }

    /// In a program that is linked with a static C library, its functions are among the program's.
    @Test(arguments: [
        ("__new_sem_wait_slow64.constprop.0", "__new_sem_wait_slow64"), ("vfprintf.part.0.isra.12", "vfprintf"),
        ("abort.cold", "abort"), ("sem_wait", "sem_wait"), ("___block_invoke.19", "___block_invoke"),
    ])
    func partOfACFunction_isNotTheProgramsOwn(_ symbol: String, function: String) {
        let frame = StackFrame(symbol: symbol, address: 0)
        #expect(!frame.isOwn && !frame.isSwift)
        #expect(frame.function == function)
    }

    @Test func nameOfASwiftFunction_keepsItsParts() {
        let frame = StackFrame(symbol: "App.Kitchen.cold() -> ()", address: 0)
        #expect(frame.isOwn && frame.function == "App.Kitchen.cold()")
    }
}
