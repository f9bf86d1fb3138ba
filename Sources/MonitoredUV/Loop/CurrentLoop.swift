#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The loop that runs on this thread: one thread-specific word.
enum CurrentLoop {
    private static let key: pthread_key_t = {
        var key = pthread_key_t()
        let status = pthread_key_create(&key, nil)
        if status != 0 { fatalError("pthread_key_create failed with \(status)") }
        return key
    }()

    /// Releasing a loop while it runs traps, so the word is good as long as it is set.
    static var loop: UVEventLoop? {
        pthread_getspecific(key).map { Unmanaged<UVEventLoop>.fromOpaque($0).takeUnretainedValue() }
    }

    /// Returns what ran on this thread before, so that loops can be run inside callbacks of other loops.
    static func enter(_ loop: UVEventLoop) -> UnsafeMutableRawPointer? {
        let outer = pthread_getspecific(key)
        set(Unmanaged.passUnretained(loop).toOpaque())
        return outer
    }

    static func leave(to outer: UnsafeMutableRawPointer?) { set(outer) }

    private static func set(_ value: UnsafeMutableRawPointer?) {
        let status = pthread_setspecific(key, value)
        if status != 0 { fatalError("pthread_setspecific failed with \(status)") }
    }
}
