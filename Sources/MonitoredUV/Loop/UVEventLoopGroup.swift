import Dispatch
import Synchronization

/// Several loops, each on its own thread, which runs until the group is shut down.
///
/// ```swift
/// let group = try UVEventLoopGroup(count: 4)
/// group.next().execute { … }
/// group.shutdown()
/// ```
///
/// Shut a group down before you release it. A group released without `shutdown()`, for example because of an error,
/// prints a warning and shuts down in the background.
public final class UVEventLoopGroup: Sendable {
    /// The loops, in order; each runs on the thread of the same name.
    public let loops: [UVEventLoop]
    private let threads: [LoopThread]
    private let turn = Atomic<Int>(0)
    private let isShutDown = Lock(false)

    /// Creates `count` loops and starts their threads.
    ///
    /// - Parameters:
    ///   - count: At least 1.
    ///   - name: The prefix of the names of loops and threads: `name-1`, `name-2` ….
    ///   - monitor: Called after each dispatch of every loop, on that loop's thread: several threads call it
    ///     concurrently.
    /// - Throws: ``UVError`` if the system has no descriptors or threads left, in which case no loop is left running.
    public convenience init(
        count: Int,
        name: String = "uv",
        monitor: (@Sendable (borrowing IOLoopMonitorState) -> Void)? = nil
    ) throws(UVError) {
        try self.init(count: count, name: name, monitor: monitor, pool: nil)
    }

    /// Creates loops that also run the jobs of `pool`.
    init(
        count: Int,
        name: String,
        monitor: (@Sendable (borrowing IOLoopMonitorState) -> Void)? = nil,
        pool: JobPool?
    ) throws(UVError) {
        if count < 1 {
            throw UVError(.invalidArgument, operation: "UVEventLoopGroup", detail: "count \(count) is not positive")
        }
        var loops: [UVEventLoop] = []
        var threads: [LoopThread] = []
        do {
            for number in 1...count {
                let loop = try UVEventLoop(name: "\(name)-\(number)")
                loop.setMonitor(monitor)
                loop.core.join(pool)
                loops.append(loop)
            }
            for loop in loops {
                loop.core.holdOpen(true)
                loop.shared.giveAway()
                threads.append(try LoopThread(name: loop.name) { loop.runUntilShutDown() })
            }
        } catch {
            UVEventLoopGroup.end(loops.prefix(threads.count), threads)
            throw error
        }
        self.loops = loops
        self.threads = threads
    }

    deinit {
        if isShutDown.withLock({ $0 }) { return }
        let names = loops.map(\.name).joined(separator: ", ")
        warn(
            "UVEventLoopGroup with \(names) was released without shutdown(). Its loops are shut down in the background; "
                + "call shutdown() before you release a group, or use withGroup."
        )
        // This may be one of the group's own threads.
        DispatchQueue.global().async { [loops, threads] in UVEventLoopGroup.end(loops[...], threads) }
    }

    /// Creates a group, passes it to `body`, and shuts it down afterward, even after an error.
    ///
    /// ```swift
    /// try await UVEventLoopGroup.withGroup(count: 4) { group in
    ///     let server = try await UVTCPServer.listen(host: "0.0.0.0", port: 7000, on: group)
    ///     …
    /// }
    /// ```
    ///
    /// - Parameters:
    ///   - count: At least 1.
    ///   - name: The prefix of the names of loops and threads: `name-1`, `name-2` ….
    ///   - monitor: Called after each dispatch of every loop, on that loop's thread: several threads call it
    ///     concurrently.
    ///   - body: Receives the group.
    /// - Throws: Errors of `body`; ``UVError`` if the system has no descriptors or threads left.
    public nonisolated(nonsending) static func withGroup<T>(
        count: Int,
        name: String = "uv",
        monitor: (@Sendable (borrowing IOLoopMonitorState) -> Void)? = nil,
        _ body: nonisolated(nonsending) (UVEventLoopGroup) async throws -> T
    ) async throws -> T {
        let group = try UVEventLoopGroup(count: count, name: name, monitor: monitor)
        do {
            let result = try await body(group)
            await group.shutdown()
            return result
        } catch {
            await group.shutdown()
            throw error
        }
    }

    /// Returns the next loop, in rotation. Any thread.
    public func next() -> UVEventLoop {
        let turn = UInt(bitPattern: turn.wrappingAdd(1, ordering: .relaxed).oldValue)
        return loops[Int(turn % UInt(loops.count))]
    }

    /// Shuts the group down and waits until it has ended. Work posted earlier runs; then each loop closes the handles
    /// that are still open, calls the completions this causes, and its thread exits. Anything that callbacks open
    /// meanwhile is also closed. Tasks waiting for an operation on these loops receive ``UVError/Code/canceled``; those
    /// in `Task.sleep` are canceled; and those that never stop running are dropped after a few seconds, with a warning.
    /// Work that one loop posts to another whose thread has already exited runs on the thread that called this.
    ///
    /// Any thread except the group's own, which would wait for themselves: calling it there traps. A second call waits
    /// for the first. Work posted to one of the loops afterward is refused, as on any closed loop.
    @available(*, noasync, message: "in a task, use 'await group.shutdown()'")
    public func shutdown() {
        for loop in loops where loop.shared.isRunningHere {
            fatalError(
                "UVEventLoopGroup.shutdown() was called on \(loop)'s own thread. Call it from a thread outside of the group."
            )
        }
        endOnce()
    }

    /// Shuts the group down as the blocking form does, without blocking one of Swift's threads while waiting.
    ///
    /// A task on one of the group's own loops may call this; because that loop is then closed, the task continues
    /// elsewhere.
    public nonisolated(nonsending) func shutdown() async {
        await withUnsafeContinuation { continuation in
            DispatchQueue.global().async {
                self.endOnce()
                continuation.resume()
            }
        }
    }

    private func endOnce() {
        isShutDown.withLock { isShutDown in
            if !isShutDown { UVEventLoopGroup.end(loops[...], threads) }
            isShutDown = true
        }
    }

    /// Closes no loop before all threads have exited, so that the loops can post to each other until the end.
    private static func end(_ loops: ArraySlice<UVEventLoop>, _ threads: [LoopThread]) {
        loops.forEach { $0.requestShutdown() }
        threads.forEach { $0.join() }
        while loops.contains(where: { !$0.isShutDown }) { loops.forEach { $0.runOn() } }
        loops.forEach { $0.closeBehindShutdown() }
    }
}

extension UVEventLoopGroup: CustomStringConvertible {
    /// `UVEventLoopGroup of uv-1, uv-2`.
    public var description: String { "UVEventLoopGroup of " + loops.map(\.name).joined(separator: ", ") }
}
