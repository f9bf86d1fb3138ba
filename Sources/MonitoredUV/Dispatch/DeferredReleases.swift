/// Objects of the program that a loop no longer needs, but whose code may be running.
///
/// They are released at the end of the running dispatch, and charged to it, because a `deinit` is the program's code;
/// outside any dispatch, in one of their own.
struct DeferredReleases {
    private var objects: [(object: AnyObject?, name: CallbackName)] = []
    private(set) var isEmpty = true

    /// - Parameter name: The name of the callback that the object belonged to.
    mutating func append(_ object: AnyObject, _ name: CallbackName) {
        objects.append((object, name))
        isEmpty = false
    }

    mutating func takeAll() -> DeferredReleases {
        defer { self = DeferredReleases() }
        return self
    }

    /// Calls `body` for each object, with a closure that releases it.
    mutating func forEach(_ body: (CallbackName, _ letGo: () -> Void) -> Void) {
        for index in objects.indices { body(objects[index].name) { objects[index].object = nil } }
    }
}
