/// Objects of the program that a loop no longer needs, but may be inside of.
///
/// They are let go at the end of the dispatch that is running, and charged to it, for a `deinit` is the program's code;
/// outside of any dispatch, in one of its own.
struct DeferredReleases {
    private var objects: [(object: AnyObject?, name: CallbackName)] = []
    private(set) var isEmpty = true

    /// - Parameter name: Whose it was.
    mutating func append(_ object: AnyObject, _ name: CallbackName) {
        objects.append((object, name))
        isEmpty = false
    }

    mutating func takeAll() -> DeferredReleases {
        defer { self = DeferredReleases() }
        return self
    }

    /// Calls `body` for each with a closure that lets it go.
    mutating func forEach(_ body: (CallbackName, _ letGo: () -> Void) -> Void) {
        for index in objects.indices { body(objects[index].name) { objects[index].object = nil } }
    }
}

extension LoopCore {
    /// Keeps what may be running alive until no dispatch can be in it.
    func deferRelease(_ object: AnyObject, _ name: CallbackName) {
        if isRunningHere { releases.append(object, name) }
    }

    /// At the end of a dispatch, or of the monitor: lets go within its time. What that runs may defer more.
    @inline(never)
    func releaseDeferred() { while !releases.isEmpty { _ = releases.takeAll() } }

    /// Lets go between dispatches. The monitor of a loop that was released without a close is not called any more.
    @inline(never)
    func dispatchReleases() {
        if isTearingDown { return releaseDeferred() }
        while !releases.isEmpty {
            var waiting = releases.takeAll()
            waiting.forEach { name, letGo in dispatch(.release, name, .notApplicable) { letGo() } }
        }
    }
}
