#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Descriptors that a listening loop holds back for when the process has none left.
///
/// libuv keeps one of its own: it closes it, accepts with it, closes the connection and opens it again. Where another
/// thread is faster to take it, libuv has none from then on, and goes on accepting without success, for ever and without
/// returning to the loop. Giving up one of these lets it accept once more. Several are held, because each may be taken.
struct SpareDescriptors: ~Copyable {
    private static let count = 4
    private var held: [Int32] = []

    deinit { for descriptor in held { close(descriptor) } }

    /// Gets what is missing, as far as there are descriptors.
    mutating func fill() {
        while held.count < Self.count {
            let descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
            if descriptor < 0 { return }
            held.append(descriptor)
        }
    }

    /// Some were given up and not replaced yet.
    private(set) var isShort = false

    /// Makes room for one descriptor; `false` if none is left to give up.
    mutating func giveUp() -> Bool {
        isShort = true
        guard let descriptor = held.popLast() else { return false }
        close(descriptor)
        return true
    }

    /// Whenever a descriptor may have become free.
    @inline(__always)
    mutating func refill() {
        if isShort {
            fill()
            isShort = held.count < Self.count
        }
    }
}
