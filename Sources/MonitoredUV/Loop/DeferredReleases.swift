/// What the program gave to a loop, and the loop no longer needs but may be inside of.
///
/// It is let go at the end of the dispatch that is running, and charged to it, for a `deinit` is the program's code;
/// outside of any dispatch, in one of its own.
struct DeferredReleases {
    private var objects: [(object: AnyObject, name: CallbackName)] = []
    private(set) var isEmpty = true

    /// - Parameter name: Whose it was.
    mutating func append(_ object: AnyObject, _ name: CallbackName) {
        objects.append((object, name))
        isEmpty = false
    }

    /// The name of the first.
    var firstName: CallbackName? { objects.first?.name }

    /// Takes the first one out, for the caller to let go.
    mutating func removeFirst() -> AnyObject? {
        if objects.isEmpty { return nil }
        defer { isEmpty = objects.isEmpty }
        return objects.removeFirst().object
    }

    mutating func takeAll() -> DeferredReleases {
        defer { self = DeferredReleases() }
        return self
    }
}

extension LoopCore {
    /// Keeps what may be running alive until no dispatch can be in it.
    func deferRelease(_ object: AnyObject, _ name: CallbackName) { releases.append(object, name) }

    /// At the end of a dispatch, or of the monitor: lets go within its time. What that runs may defer more.
    @inline(never)
    func releaseDeferred() { while let object = releases.removeFirst() { withExtendedLifetime(object) {} } }

    /// Between dispatches. Of a loop that nobody has closed no monitor is told any more.
    @inline(never)
    func dispatchReleases() {
        if isTearingDown { return releaseDeferred() }
        var waiting = releases.takeAll()
        while let name = waiting.firstName { dispatch(.release, name, .notApplicable) { _ = waiting.removeFirst() } }
    }
}
