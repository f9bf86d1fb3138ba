import MonitoredUVPlatform
import Synchronization

/// A word that one thread writes and any thread may read, by relaxed loads and stores, which are plain moves.
typealias Word = Atomic<UInt64>

extension UnsafeMutablePointer<Word> {
    @inline(__always)
    var value: UInt64 {
        get { pointee.load(ordering: .relaxed) }
        nonmutating set { pointee.store(newValue, ordering: .relaxed) }
    }

    /// Adds to the word. Only for the one thread that writes it.
    @inline(__always)
    func add(_ more: UInt64) { value = value &+ more }
}

/// An array of words. The code that allocates them must free them.
///
/// `@unchecked Sendable`: the words are atomic, and the pointer never changes.
struct Words: @unchecked Sendable {
    private let first: UnsafeMutablePointer<Word>

    /// Allocates words that are all 0, in pages that the system provides on the first write.
    static func allocateZeroed(_ count: Int) -> Words {
        let memory = calloc(count, MemoryLayout<Word>.stride)
        guard let memory else { fatalError("out of memory: \(count) words for statistics could not be allocated") }
        return Words(first: memory.bindMemory(to: Word.self, capacity: count))
    }

    func deallocate() { free(first) }

    @inline(__always)
    static func + (words: Words, index: Int) -> UnsafeMutablePointer<Word> { words.first + index }
}
