import CMonitoredUV
import CTestFrames
import Foundation
import Testing

@testable import MonitoredUV

/// Stacks of threads that do what is hardest to interrupt: taken thousands of times, while the threads get on.
@Suite(.serialized) struct StackSampleTests {
    /// Captures the stack of a thread that runs `work` over and over, as often as `count` says; the work must have gone
    /// on between captures, and after them.
    private func capture(_ count: Int, while work: @escaping @Sendable () -> Void) throws -> [[StackFrame]] {
        let memory = UnsafeMutablePointer<muv_stack>.allocate(capacity: 1)
        defer { memory.deallocate() }
        let ready = DispatchSemaphore(value: 0)
        let rounds = Counter()
        let end = Counter()
        let thread = Box<SampledThread?>(nil)
        let worker = try LoopThread(name: "worker") {
            thread.value = SampledThread()
            ready.signal()
            repeat {
                work()
                rounds.count()
            } while end.value == 0
        }
        ready.wait()
        let watched = try #require(thread.value)
        var samples: [StackSample] = []
        var answered = 0
        while rounds.value == 0 { usleep(100) }
        let before = rounds.value
        for number in 0..<count {
            // A thread that is just being created may be a little slow; but each must answer.
            guard watched.captureNow(into: memory) else { continue }
            answered += 1
            let sample = StackSample(memory)
            if number % (count / 10) == 0 { samples.append(sample) }
        }
        while rounds.value < before + 2 { usleep(100) }
        end.count()
        worker.join()
        #expect(answered >= count * 99 / 100)
        return samples.map(\.stack.frames)
    }

    private func expect(_ stacks: [[StackFrame]], _ function: String, atLeast least: Int = 3) {
        if isThreadSanitized { return }
        let found = stacks.count { $0.contains { $0.function.contains(function) } }
        #expect(
            found >= least,
            "\(stacks.first { !$0.contains { $0.function.contains(function) } } ?? [])"
        )
    }

    @Test func malloc_isInterruptedSafely() throws {
        let stacks = try capture(300) { allocateAndFree() }
        expect(stacks, "allocateAndFree")
    }

    @Test func dlopen_isInterruptedSafely() throws {
        // Taken apart while the library comes and goes; a sanitizer's own dlopen hides who called it.
        let stacks = try capture(200) { openAndCloseLibrary() }
        #expect(stacks.allSatisfy { !$0.isEmpty })
    }

    @Test func lockThatIsHeld_isInterruptedSafely() throws {
        let lock = Lock(0)
        let stacks = try capture(300) { lockAndUnlock(lock) }
        expect(stacks, "lockAndUnlock")
        #expect(lock.withLock { $0 } > 0)
    }

    @Test func deepRecursion_isInterruptedSafely() throws {
        let stacks = try capture(200) { if recurse(20_000) != 20_000 { fatalError("recursion went wrong") } }
        expect(stacks, "recurse")
    }

    @Test func foreignCode_isInterruptedSafely() throws {
        let stacks = try capture(200) { sortInC() }
        expect(stacks, "sortInC")
    }

    /// There, the saved registers of the function's table lie beyond the top of the stack.
    @Test func endOfAFunction_isLookedThrough() throws {
        let stacks = try capture(200) { spinAtTheEnd() }
        expect(stacks, "spinAtTheEnd", atLeast: 9)
    }

    /// The kernel's own page in every process.
    @Test func readingTheClock_isLookedThrough() throws {
        let stacks = try capture(200) { readClock() }
        expect(stacks, "readClock", atLeast: 9)
    }

    @Test func systemCalls_goOnAfterwards() throws {
        let interrupted = Counter()
        let stacks = try capture(200) { readFromPipe(interrupted) }
        expect(stacks, "readFromPipe")
        #expect(interrupted.value == 0)
    }

    /// Nothing on the stack is to be trusted.
    @Test func damagedStacks_areTakenApartWithoutHarm() throws {
        let memory = UnsafeMutablePointer<muv_stack>.allocate(capacity: 1)
        defer { memory.deallocate() }
        let ready = DispatchSemaphore(value: 0)
        let end = Counter()
        let thread = Box<SampledThread?>(nil)
        let worker = try LoopThread(name: "worker") {
            thread.value = SampledThread()
            ready.signal()
            while end.value == 0 { sortInC() }
        }
        ready.wait()
        #expect(try #require(thread.value).captureNow(into: memory))
        end.count()
        worker.join()
        var random = SystemRandomNumberGenerator()
        var (counters, bases) = ([UInt](repeating: 0, count: 128), [UInt](repeating: 0, count: 128))
        let words = memory.pointee.count / 8
        let copy = UnsafeMutablePointer<muv_stack>.allocate(capacity: 1)
        defer { copy.deallocate() }
        for _ in 0..<5000 {
            copy.update(from: memory, count: 1)
            let bytes = UnsafeMutableRawPointer(copy) + MemoryLayout<muv_stack>.size - Int(muv_stack_bytes)
            let stack = bytes.bindMemory(to: UInt.self, capacity: words)
            for _ in 0..<20 {
                let old = stack[Int.random(in: 0..<words)]
                stack[Int.random(in: 0..<words)] = Bool.random() ? UInt.random(in: 0...UInt.max, using: &random) : old
            }
            if Bool.random() {
                withUnsafeMutableBytes(of: &copy.pointee.registers) { bytes in
                    let registers = bytes.bindMemory(to: UInt.self)
                    registers[Int.random(in: 0..<registers.count)] = UInt.random(in: 0...UInt.max, using: &random)
                }
            }
            let count = muv_stack_unwind(copy, &counters, &bases, 128)
            #expect((1...128).contains(count))
        }
    }

    /// Whoever resets all signals, as daemons do, must not be ended by the next capture.
    @Test func signalThatWasReset_isNotSent() async {
        await #expect(processExitsWith: .success) {
            let memory = UnsafeMutablePointer<muv_stack>.allocate(capacity: 1)
            let ready = DispatchSemaphore(value: 0)
            let thread = Box<SampledThread?>(nil)
            let worker = try LoopThread(name: "worker") {
                thread.value = SampledThread()
                ready.signal()
                while true { sortInC() }
            }
            worker.detach()
            ready.wait()
            guard thread.value!.captureNow(into: memory) else { exit(1) }
            for number in 1..<65 where number != SIGKILL && number != SIGSTOP { signal(Int32(number), SIG_DFL) }
            exit(thread.value!.captureNow(into: memory) ? 2 : 0)
        }
    }

    /// A signal would end the call of a thread that the kernel says nothing of, or that uses another stack.
    @Test func threadThatWaits_isNotDisturbed_whereItCannotBeLookedAt() throws {
        let memory = UnsafeMutablePointer<muv_stack>.allocate(capacity: 1)
        defer { memory.deallocate() }
        let ready = DispatchSemaphore(value: 0)
        let thread = Box<SampledThread?>(nil)
        let isUndisturbed = Box(false)
        let worker = try LoopThread(name: "worker") {
            thread.value = SampledThread()
            ready.signal()
            isUndisturbed.value = poll(nil, 0, 300) == 0
        }
        ready.wait()
        let watched = try #require(thread.value)
        while !watched.captureNow(into: memory) || !memory.pointee.is_waiting { usleep(100) }
        for isElsewhere in [false, true] {
            var capture = watched.capture(into: memory)
            if isElsewhere {
                capture.range = muv_stack_range(low: 4096, high: 8192)
            } else {
                capture.files.syscall = -1
            }
            #expect(muv_capture_step(&capture) == muv_capture_failed)
        }
        worker.join()
        #expect(isUndisturbed.value)
    }

    /// One that computes cannot be asked, which is known beforehand; one that waits need not be.
    @Test func threadThatBlocksSignals_isNotAsked() throws {
        let memory = UnsafeMutablePointer<muv_stack>.allocate(capacity: 1)
        defer { memory.deallocate() }
        let ready = DispatchSemaphore(value: 0)
        let end = DispatchSemaphore(value: 0)
        let computes = Counter()
        let thread = Box<SampledThread?>(nil)
        let deaf = try LoopThread(name: "deaf") {
            thread.value = SampledThread()
            var all = sigset_t()
            sigfillset(&all)
            pthread_sigmask(SIG_BLOCK, &all, nil)
            ready.signal()
            end.wait()
            computes.count()
            ready.signal()
            while computes.value == 1 { sortInC() }
            pthread_sigmask(SIG_UNBLOCK, &all, nil)  // no signal comes, for none was sent
            ready.signal()
            while computes.value == 2 { sortInC() }
        }
        ready.wait()
        let watched = try #require(thread.value)
        while !watched.captureNow(into: memory) { usleep(1000) }
        #expect(memory.pointee.is_waiting)
        #expect(StackSample(memory).stack.frames.contains { $0.function.contains("threadThatBlocksSignals") })
        end.signal()
        ready.wait()
        #expect(!watched.captureNow(into: memory))
        computes.count()
        ready.wait()
        #expect(watched.captureNow(into: memory))
        #expect(!memory.pointee.is_waiting)
        computes.count()
        deaf.join()
    }
}

extension SampledThread {
    /// A whole capture; `false` if the thread does not answer.
    fileprivate func captureNow(into stack: UnsafeMutablePointer<muv_stack>) -> Bool {
        var capture = capture(into: stack)
        for _ in 0..<5000 {
            let state = muv_capture_step(&capture)
            if state != muv_capture_goes_on { return state == muv_capture_succeeded }
            usleep(100)
        }
        return muv_capture_cancel(&capture) == muv_capture_succeeded
    }
}

@inline(never) private func allocateAndFree() {
    var arrays: [[Int]] = []
    for size in 1...200 { arrays.append([Int](repeating: size, count: size * 8)) }
    withExtendedLifetime(arrays) {}
}

@inline(never) private func openAndCloseLibrary() {
    // Some that nobody else in this process uses, so that they are really loaded and unloaded.
    for name in ["libBrokenLocale.so.1", "libthread_db.so.1", "libnss_hesiod.so.2", "libdoesnotexist.so"] {
        if let library = dlopen(name, RTLD_NOW) { dlclose(library) }
    }
}

@inline(never) private func lockAndUnlock(_ lock: Lock<Int>) {
    for _ in 0..<100 { lock.withLock { value in for _ in 0..<100 { value = value &+ 1 } } }
}

@inline(never) private func recurse(_ depth: Int) -> Int { depth == 0 ? 0 : 1 + recurse(depth - 1) }

@inline(never) private func sortInC() {
    var numbers = (0..<2000).map { Int32(truncatingIfNeeded: $0 &* 7919 % 1009) }
    qsort(&numbers, numbers.count, 4) { left, right in
        let (left, right) = (left!.load(as: Int32.self), right!.load(as: Int32.self))
        return left < right ? -1 : left > right ? 1 : 0
    }
}

@inline(never) private func spinAtTheEnd() { for _ in 0..<10 { test_spin_after_restoring(10_000) } }

@inline(never) private func readClock() {
    var sum: UInt64 = 0
    for _ in 0..<1000 { sum &+= MonotonicClock.read() }
    withExtendedLifetime(sum) {}
}

@inline(never) private func readFromPipe(_ interrupted: Counter) {
    var ends: [Int32] = [0, 0]
    // Another test may have all descriptors just now.
    if pipe(&ends) != 0 { return }
    var byte: UInt8 = 7
    // Interrupted calls start again.
    for _ in 0..<200 where write(ends[1], &byte, 1) != 1 || read(ends[0], &byte, 1) != 1 { interrupted.count() }
    ends.forEach { close($0) }
}
