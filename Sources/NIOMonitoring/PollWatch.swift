import CNIOMonitoring
import MonitoredUV
import NIOCore
import NIOPosix

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The way from the polls of SwiftNIO's loops to their recorders.
enum PollWatch {
    static let loops = ForeignLoops()

    /// Starts looking at polls, once.
    static func start() { _ = isStarted }

    private static let isStarted: Bool = {
        guard muv_polls_are_visible() else {
            warn(
                "NIOLoops.monitor watches nothing here: SwiftNIO's loops can be seen only on Linux, by a program that is "
                    + "linked with NIOMonitoring, not by a library that it loads."
            )
            return false
        }
        var calls = muv_poll_calls(
            find: { find($0) },
            enter: { loop, timeout in recorder(loop)._withUnsafeGuaranteedRef { $0.enterPoll(timeout: timeout) } },
            leave: { loop in recorder(loop)._withUnsafeGuaranteedRef { $0.leavePoll() } },
            end: { loop in end(recorder(loop!)) },
            forked: { IterationRecorder.forget() }
        )
        muv_polls_watch(&calls)
        return true
    }()

    private static func recorder(_ loop: UnsafeMutableRawPointer?) -> Unmanaged<IterationRecorder> {
        .fromOpaque(loop!)
    }

    /// Creates the recorder of the loop that this thread runs, if `descriptor` is what that loop polls.
    private static func find(_ descriptor: Int32) -> UnsafeMutableRawPointer? {
        guard !DiagnosticsThread.isCurrent,
            let loop = MultiThreadedEventLoopGroup.currentEventLoop, polls(loop, descriptor)
        else { return nil }
        let name = threadName()
        let recorder = IterationRecorder(
            name: name,
            isProbed: !isStrict,
            submit: { task in if !isStrict { loop.execute(task) } },
            open: { loops.open($0) }
        )
        // Monitored at once, though it may sleep for hours before it can be configured.
        loops.admit(recorder.loop)
        recorder.enterPoll(timeout: .max)
        if hasForeignThread(loop, name) { endWithLoop(loop) }
        return Unmanaged.passRetained(recorder).toOpaque()
    }

    /// Whether `descriptor` is the loop's own, as far as the loop says: code that it calls may poll another.
    private static func polls(_ loop: any EventLoop, _ descriptor: Int32) -> Bool {
        let description = "\(loop)"
        return !description.contains("descriptor = ") || description.contains("descriptor = \(descriptor) ")
    }

    /// Whether the thread is not one of a group's, which end with their loops.
    private static func hasForeignThread(_ loop: any EventLoop, _ name: String) -> Bool {
        // Only a loop that was made for a thread of others has no group. If SwiftNIO does not tell, the name does, which
        // another thread may have inherited.
        guard let group = Mirror(reflecting: loop).descendant("_parentGroup") else { return !name.hasPrefix("NIO-") }
        return Mirror(reflecting: group).displayStyle == .optional && Mirror(reflecting: group).children.isEmpty
    }

    private static func end(_ recorder: Unmanaged<IterationRecorder>) {
        let recorder = recorder.takeRetainedValue()
        recorder.close()
        loops.close(recorder.loop)
    }

    /// Ends the recorder of a loop whose thread goes on after the loop's end, which fails the loop's tasks.
    private static func endWithLoop(_ loop: any EventLoop) {
        loop.scheduleTask(in: .hours(24 * 365 * 100)) {}.futureResult.whenFailure { _ in
            // On the loop's thread.
            if let recorder = muv_polls_forget() { end(.fromOpaque(recorder)) }
        }
    }

    /// Whether SwiftNIO ends the process when a task comes after the end of a loop, which a probe may do.
    private static let isStrict: Bool = {
        let value = getenv("SWIFTNIO_STRICT").map { String(cString: $0).lowercased() }
        return ["true", "y", "yes", "on", "1"].contains(value)
    }()

    private static func threadName() -> String {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { name in
            muv_polls_thread_name(name.baseAddress!, name.count)
            return String(cString: name.baseAddress!)
        }
    }
}

/// Called at the first poll of a program whose environment names variables of this package.
@_cdecl("muv_polls_were_asked_for")
func pollsWereAskedFor() { if ForeignLoop.isAskedFor { PollWatch.start() } }
