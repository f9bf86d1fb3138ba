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
