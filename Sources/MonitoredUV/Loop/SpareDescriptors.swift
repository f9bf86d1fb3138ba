#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Descriptors that a listening loop holds back for when the process has none left.
///
/// libuv keeps one of its own: it closes it, accepts with it, closes the connection and opens it again. Where another
/// thread is faster to take it, libuv has none from then on, and goes on accepting without success, for ever and
/// without returning to the loop. Giving up one of these lets it accept once more. Several are held, because each may
/// be taken.
struct SpareDescriptors: ~Copyable {
    private static let count = 4
    private var held: [Int32] = []

    deinit { for descriptor in held { close(descriptor) } }

    /// One was given up in this iteration of the loop: the next connection is accepted with it.
    private(set) var isGivenUp = false
    /// Some are missing.
    private(set) var isShort = false

    /// Gets what is missing, as far as there are descriptors.
    mutating func fill() {
        isGivenUp = false
        while held.count < Self.count {
            let descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
            if descriptor < 0 { break }
            held.append(descriptor)
        }
        isShort = held.count < Self.count
    }

    /// Makes room for one descriptor; `false` if none is left to give up.
    mutating func giveUp() -> Bool {
        isShort = true
        guard let descriptor = held.popLast() else { return false }
        close(descriptor)
        isGivenUp = true
        return true
    }
}
