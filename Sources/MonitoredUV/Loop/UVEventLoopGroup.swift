import Synchronization

/// Several loops, each on a thread of its own that runs until the group is shut down.
///
/// ```swift
/// let group = try UVEventLoopGroup(count: 4)
/// group.next().execute { … }
/// group.shutdown()
/// ```
public final class UVEventLoopGroup: Sendable {
    /// The loops, in order; each runs on the thread that bears its name.
    public let loops: [UVEventLoop]
    private let threads: [LoopThread]
    private let turn = Atomic<Int>(0)
    private let isShutDown = Atomic<Bool>(false)

    /// Makes `count` loops and starts their threads.
    ///
    /// - Parameters:
    ///   - count: At least 1.
    ///   - name: Loops and threads are called `name-1`, `name-2` ….
    ///   - monitor: Told of every loop's dispatches, on that loop's thread: several threads call it at once.
    /// - Throws: ``UVError`` if the system has no descriptors or threads left; nothing runs then.
    public init(
        count: Int,
        name: String = "uv",
        monitor: (@Sendable (borrowing IOLoopMonitorState) -> Void)? = nil
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
                loops.append(loop)
            }
            for loop in loops {
                loop.core.holdOpen(true)
                threads.append(try LoopThread(name: loop.name) { UVEventLoopGroup.serve(loop) })
            }
        } catch {
            UVEventLoopGroup.end(loops.prefix(threads.count), threads)
            throw error
        }
        self.loops = loops
        self.threads = threads
    }

    deinit {
        if !isShutDown.load(ordering: .acquiring) {
            fatalError("UVEventLoopGroup was released while its threads run. Call shutdown() before.")
        }
    }

    /// The next loop, in turn. Any thread.
    public func next() -> UVEventLoop {
        let turn = UInt(bitPattern: turn.wrappingAdd(1, ordering: .relaxed).oldValue)
        return loops[Int(turn % UInt(loops.count))]
    }

    /// Ends the group, and waits for it: work that was posted before runs, then each loop closes the handles that are
    /// still open, calls back for what that ends, and its thread goes.
    ///
    /// Any thread but the group's own, which would wait for itself: that traps. A second call does nothing. Posting to
    /// one of the loops afterwards traps, as with any closed loop.
    public func shutdown() {
        for loop in loops where UVEventLoop.current === loop {
            fatalError(
                "UVEventLoopGroup.shutdown() was called on \(loop)'s own thread. Call it from a thread outside of the group."
            )
        }
        if isShutDown.exchange(true, ordering: .acquiringAndReleasing) { return }
        UVEventLoopGroup.end(loops[...], threads)
    }

    private static func end(_ loops: ArraySlice<UVEventLoop>, _ threads: [LoopThread]) {
        for loop in loops {
            loop.execute("shutdown") {
                loop.core.isShuttingDown = true
                loop.core.holdOpen(false)
                loop.core.closeAllHandles()
            }
        }
        for thread in threads { thread.join() }
    }

    /// A loop's thread: runs until shut down and done, whoever stops the loop meanwhile.
    private static func serve(_ loop: UVEventLoop) {
        do {
            while try loop.run() || !loop.core.isShuttingDown || loop.core.hasOpenHandles {
                // What callbacks opened while the loop shut down is closed as well.
                if loop.core.isShuttingDown { loop.core.closeAllHandles() }
            }
            try loop.close()
        } catch {
            fatalError("\(loop) could not end: \(error)")
        }
    }
}
