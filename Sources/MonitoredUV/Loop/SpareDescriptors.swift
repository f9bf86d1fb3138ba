internal import CLibUV

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Descriptors that a listening loop holds back for when the process has none left.
///
/// libuv keeps one of its own: it closes it, accepts with it, closes the connections that wait, and opens it again. Where
/// another thread is faster to take it, libuv has none from then on: up to 1.44 it goes on accepting without success and
/// without returning to the loop, later versions try again in every iteration and say nothing. Giving it one of these
/// brings it back to its senses. Several are held, because each may be taken.
struct SpareDescriptors: ~Copyable {
    private static let count = 4
    private var held: [Int32] = []
    /// The loop listens, or has.
    private var isWanted = false

    deinit { for descriptor in held { close(descriptor) } }

    /// Holds descriptors from now on.
    mutating func begin() {
        isWanted = true
        fill()
    }

    /// Gets what is missing, as far as there are descriptors.
    mutating func fill() {
        while held.count < Self.count {
            let descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
            if descriptor < 0 { break }
            held.append(descriptor)
        }
    }

    /// Gives libuv one for the one it has lost; `false` if none is left.
    mutating func replaceReserve(of loop: UnsafeMutablePointer<uv_loop_t>) -> Bool {
        if !isWanted || loop.pointee.emfile_fd != -1 { return true }
        fill()
        guard let descriptor = held.popLast() else { return false }
        loop.pointee.emfile_fd = descriptor
        return true
    }
}
