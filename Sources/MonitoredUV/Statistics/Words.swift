import MonitoredUVPlatform
import Synchronization

/// One word that one thread writes and any may read: a relaxed load and store, which are plain moves.
typealias Word = Atomic<UInt64>

extension UnsafeMutablePointer<Word> {
    @inline(__always)
    var value: UInt64 {
        get { pointee.load(ordering: .relaxed) }
        nonmutating set { pointee.store(newValue, ordering: .relaxed) }
    }

    /// For the one thread that writes.
    @inline(__always)
    func add(_ more: UInt64) { value = value &+ more }
}

/// Words in a row, which whoever has allocated them frees.
///
/// `@unchecked Sendable`: the words are atomic, and the pointer never changes.
struct Words: @unchecked Sendable {
    private let first: UnsafeMutablePointer<Word>

    /// Words that are all 0, from pages that the system hands out when they are first written to.
    static func allocateZeroed(_ count: Int) -> Words {
        let memory = calloc(count, MemoryLayout<Word>.stride)
        guard let memory else { fatalError("out of memory: \(count) words for statistics could not be allocated") }
        return Words(first: memory.bindMemory(to: Word.self, capacity: count))
    }

    func deallocate() { free(first) }

    @inline(__always)
    static func + (words: Words, index: Int) -> UnsafeMutablePointer<Word> { words.first + index }
}
