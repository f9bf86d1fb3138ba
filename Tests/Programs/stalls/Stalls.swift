#if os(Linux)
    import Foundation
    import MonitoredUV
    import Synchronization

    /// Stalls of every kind, and what the watchdog says of them: that calls return when they would have without it, that the
    /// functions and the calls are the right ones, and that loops are told of while they are stuck. A program, and not tests,
    /// so that it can be built for release and with a static standard library as well.
    @main enum Stalls {
        static func main() throws {
            for call in calls { try check(call) }
            try checkMany(false)
            // Threads that compute answer when they get a processor, for which others may compete as well.
            try checkMany(true, tries: 6)
            if failures.withLock({ $0 }) > 0 { exit(1) }
            print("all stalls were told of rightly")
        }
    }

    private let failures = Mutex(0)

    private func fail(_ message: String) {
        print("FAILED: \(message)")
        failures.withLock { $0 += 1 }
    }

    // MARK: Calls

    /// A call that waits, and that a signal would end early.
    private struct Call: Sendable {
        /// Of the function that calls it, and of the call.
        let function: String
        let name: String
        /// Whether it ended as it does when nothing disturbs it.
        let run: @Sendable () -> Bool
    }

    private let time = 150

    private let calls = [
        Call(function: "callsUsleep", name: "usleep", run: callsUsleep),
        Call(function: "callsNanosleep", name: "nanosleep", run: callsNanosleep),
        Call(function: "callsPoll", name: "poll", run: callsPoll),
        Call(function: "callsSelect", name: "select", run: callsSelect),
        Call(function: "callsEpollWait", name: "epoll_wait", run: callsEpollWait),
        Call(function: "waitsForASemaphore", name: "dispatch_semaphore_wait", run: waitsForASemaphore),
        Call(function: "waitsForAGroup", name: "dispatch_group_wait", run: waitsForAGroup),
        Call(function: "locksAMutex", name: "pthread_mutex_lock", run: locksAMutex),
        Call(function: "sleepsInFoundation", name: "sleep", run: sleepsInFoundation),
    ]

    @inline(never) private func callsUsleep() -> Bool { usleep(UInt32(time) * 1000) == 0 }

    @inline(never) private func callsNanosleep() -> Bool {
        var length = timespec(tv_sec: 0, tv_nsec: time * 1_000_000)
        return nanosleep(&length, nil) == 0
    }

    @inline(never) private func callsPoll() -> Bool { poll(nil, 0, Int32(time)) == 0 }

    @inline(never) private func callsSelect() -> Bool {
        var length = timeval(tv_sec: 0, tv_usec: time * 1000)
        return select(0, nil, nil, nil, &length) == 0
    }

    /// Glibc's module has it not.
    private func symbol<Function>(_ name: String, as type: Function.Type) -> Function {
        unsafeBitCast(dlsym(nil, name), to: type)
    }

    @inline(never) private func callsEpollWait() -> Bool {
        let create = symbol("epoll_create1", as: (@convention(c) (Int32) -> Int32).self)
        let wait = symbol(
            "epoll_wait",
            as: (@convention(c) (Int32, UnsafeMutableRawPointer, Int32, Int32) -> Int32).self
        )
        let descriptor = create(0)
        defer { close(descriptor) }
        return withUnsafeTemporaryAllocation(byteCount: 16, alignment: 8) { event in
            wait(descriptor, event.baseAddress!, 1, Int32(time)) == 0
        }
    }

    @inline(never) private func waitsForASemaphore() -> Bool {
        DispatchSemaphore(value: 0).wait(timeout: .now() + .milliseconds(time)) == .timedOut
    }

    @inline(never) private func waitsForAGroup() -> Bool {
        let group = DispatchGroup()
        group.enter()
        defer { group.leave() }
        return group.wait(timeout: .now() + .milliseconds(time)) == .timedOut
    }

    @inline(never) private func locksAMutex() -> Bool {
        let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
        pthread_mutex_init(mutex, nil)
        let taken = DispatchSemaphore(value: 0)
        // The pointer is used by one thread at a time, which is what the mutex is for.
        nonisolated(unsafe) let shared = mutex
        let other = Thread {
            pthread_mutex_lock(shared)
            taken.signal()
            usleep(UInt32(time) * 1000)
            pthread_mutex_unlock(shared)
        }
        other.start()
        taken.wait()
        let result = pthread_mutex_lock(mutex)
        pthread_mutex_unlock(mutex)
        return result == 0
    }

    @inline(never) private func sleepsInFoundation() -> Bool {
        Thread.sleep(forTimeInterval: Double(time) / 1000)
        return true
    }

    private func check(_ call: Call) throws {
        let reports = Mutex<[StallReport]>([])
        let loop = try UVEventLoop(name: call.function)
        loop.monitoring.startWatchdog(limit: .milliseconds(30)) { report in reports.withLock { $0.append(report) } }
        let isUndisturbed = Mutex(false)
        let duration = Mutex(Duration.zero)
        loop.execute(name: "call") {
            let start = ContinuousClock.now
            let result = call.run()
            duration.withLock { $0 = ContinuousClock.now - start }
            isUndisturbed.withLock { $0 = result }
        }
        try loop.run()
        try loop.close()
        while !reports.withLock({ $0.contains { $0.phase == .ended } }) { usleep(1000) }
        if !isUndisturbed.withLock({ $0 }) { fail("\(call.function): the call did not end as it should") }
        let took = duration.withLock { $0 }
        // The one that waits for another thread may begin a little later than that.
        if took < .milliseconds(time) - .milliseconds(20) { fail("\(call.function): took \(took)") }
        guard let began = reports.withLock({ $0.first { $0.phase == .began } }) else {
            return fail("\(call.function): not told of while it lasted")
        }
        if began.function?.contains(call.function) != true { fail("\(call.function): \(began)") }
        if began.call?.contains(call.name) != true { fail("\(call.function): blocked in \(began.call ?? "nothing")") }
    }

    // MARK: Many loops

    /// Loops that are stuck at the same time, each until all are told of or two seconds have passed, on a machine that has
    /// something else to do.
    private func checkMany(_ computes: Bool, tries: Int = 1) throws {
        let count = 32
        let began = Mutex<Set<String>>([])
        let ended = Mutex(0)
        let isOver = Atomic(false)
        for _ in 0..<2 {
            Thread.detachNewThread { while !isOver.load(ordering: .relaxed) {} }
        }
        let loops = try (0..<count).map { try UVEventLoop(name: "stuck \($0)") }
        for loop in loops {
            loop.monitoring.startWatchdog(limit: .milliseconds(100)) { report in
                switch report.phase {
                case .began: began.withLock { _ = $0.insert(report.loopName) }
                case .continues: break
                case .ended: ended.withLock { $0 += 1 }
                }
            }
            loop.execute(name: "stuck") { if computes { computesForTwoSeconds() } else { sleepsForTwoSeconds() } }
        }
        let threads = DispatchGroup()
        let start = ContinuousClock.now
        let told = Mutex(0)
        for loop in loops {
            threads.enter()
            Thread.detachNewThread {
                do { try loop.run() } catch { fail("\(error)") }
                threads.leave()
            }
        }
        // Before the first of them ends.
        while ContinuousClock.now - start < .seconds(1.9), told.withLock({ $0 }) < count {
            usleep(5000)
            let now = began.withLock { $0.count }
            told.withLock { $0 = now }
        }
        let took = ContinuousClock.now - start
        threads.wait()
        isOver.store(true, ordering: .relaxed)
        for loop in loops { try loop.close() }
        let found = told.withLock { $0 }
        let kind = computes ? "that compute" : "that sleep"
        if found < count {
            if tries > 1 { return try checkMany(computes, tries: tries - 1) }
            fail("\(found) of \(count) loops \(kind) were told of while they were stuck")
        }
        print("\(found) of \(count) loops \(kind) were told of after \(took)")
        let deadline = ContinuousClock.now + .seconds(20)
        while ended.withLock({ $0 }) < count, ContinuousClock.now < deadline { usleep(5000) }
        let ends = ended.withLock { $0 }
        if ends < count { fail("\(ends) of \(count) ends were told of") }
    }

    @inline(never) private func sleepsForTwoSeconds() { usleep(2_000_000) }

    @inline(never) private func computesForTwoSeconds() {
        let start = ContinuousClock.now
        while ContinuousClock.now - start < .seconds(2) {}
    }
#else
    /// Stacks are looked at on Linux alone.
    @main enum Stalls { static func main() {} }
#endif
