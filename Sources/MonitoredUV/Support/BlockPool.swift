/// A pool of blocks of one size, stored side by side: walking through many of them touches fewer pages than if each
/// were a separate allocation. For one thread at a time.
final class BlockPool {
    /// One piece of memory with room for several blocks. Each block is followed by the address of its chunk.
    private struct Chunk {
        let memory: UnsafeMutableRawPointer
        /// Returned blocks, each of which begins with the address of the next.
        var free: UnsafeMutableRawPointer?
        /// The number of blocks, from the beginning, that have ever been handed out.
        var begun = 0
        var used = 0
        /// The neighbors among the chunks with room.
        var previous: UnsafeMutablePointer<Chunk>?
        var next: UnsafeMutablePointer<Chunk>?
    }

    private static let chunkSize = 64 * 1024

    /// The offset from a block to the address of its chunk.
    private let headOffset: Int
    private let stride: Int
    private let blocksPerChunk: Int
    /// The first chunk that has room for a block.
    private var available: UnsafeMutablePointer<Chunk>?
    private(set) var chunkCount = 0

    /// - Parameter blockSize: From 8 bytes to 4 KiB; blocks are aligned to 16.
    init(blockSize: Int) {
        precondition((8...4096).contains(blockSize))
        headOffset = (blockSize + 7) / 8 * 8
        stride = (headOffset + 8 + 15) / 16 * 16
        blocksPerChunk = Self.chunkSize / stride
    }

    deinit {
        precondition(chunkCount == (available == nil ? 0 : 1) && available?.pointee.used ?? 0 == 0, "a block is in use")
        if let available { remove(available) }
    }

    /// Returns uninitialized memory for one block.
    func allocate() -> UnsafeMutableRawPointer {
        let chunk = available ?? addChunk()
        chunk.pointee.used += 1
        let block: UnsafeMutableRawPointer
        if let free = chunk.pointee.free {
            chunk.pointee.free = free.load(as: UnsafeMutableRawPointer?.self)
            block = free
        } else {
            block = chunk.pointee.memory + chunk.pointee.begun * stride
            block.storeBytes(of: chunk, toByteOffset: headOffset, as: UnsafeMutablePointer<Chunk>.self)
            chunk.pointee.begun += 1
        }
        if chunk.pointee.used == blocksPerChunk { unlink(chunk) }
        return block
    }

    /// Takes back a block from ``allocate()``.
    func deallocate(_ block: UnsafeMutableRawPointer) {
        let chunk = block.load(fromByteOffset: headOffset, as: UnsafeMutablePointer<Chunk>.self)
        if chunk.pointee.used == blocksPerChunk { link(chunk) }
        chunk.pointee.used -= 1
        block.storeBytes(of: chunk.pointee.free, as: UnsafeMutableRawPointer?.self)
        chunk.pointee.free = block
        // The only chunk with room stays, for the next allocation.
        if chunk.pointee.used == 0 && (available != chunk || chunk.pointee.next != nil) { remove(chunk) }
    }

    private func addChunk() -> UnsafeMutablePointer<Chunk> {
        let chunk = UnsafeMutablePointer<Chunk>.allocate(capacity: 1)
        chunk.initialize(to: Chunk(memory: .allocate(byteCount: blocksPerChunk * stride, alignment: 16)))
        chunkCount += 1
        link(chunk)
        return chunk
    }

    private func remove(_ chunk: UnsafeMutablePointer<Chunk>) {
        unlink(chunk)
        chunkCount -= 1
        chunk.pointee.memory.deallocate()
        chunk.deallocate()
    }

    private func link(_ chunk: UnsafeMutablePointer<Chunk>) {
        chunk.pointee.previous = nil
        chunk.pointee.next = available
        available?.pointee.previous = chunk
        available = chunk
    }

    private func unlink(_ chunk: UnsafeMutablePointer<Chunk>) {
        if let previous = chunk.pointee.previous {
            previous.pointee.next = chunk.pointee.next
        } else {
            available = chunk.pointee.next
        }
        chunk.pointee.next?.pointee.previous = chunk.pointee.previous
    }
}
