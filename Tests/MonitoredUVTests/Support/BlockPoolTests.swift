import Testing

@testable import MonitoredUV

@Suite struct BlockPoolTests {
    @Test func blocks_areApart_aligned_andReused() {
        let pool = BlockPool(blockSize: 152)
        var blocks: [UnsafeMutableRawPointer] = []
        for number in 0..<5000 {
            let block = pool.allocate()
            #expect(UInt(bitPattern: block) % 16 == 0)
            block.initializeMemory(as: UInt8.self, repeating: UInt8(truncatingIfNeeded: number), count: 152)
            blocks.append(block)
        }
        for (number, block) in blocks.enumerated() {
            let bytes = UnsafeRawBufferPointer(start: block, count: 152)
            #expect(bytes.allSatisfy { $0 == UInt8(truncatingIfNeeded: number) })
        }
        let chunks = pool.chunkCount
        #expect(chunks >= 5000 * 152 / 65_536)
        for number in stride(from: 0, to: 5000, by: 2) { pool.deallocate(blocks[number]) }
        let again = Set((0..<2500).map { _ in pool.allocate() })
        #expect(again == Set(stride(from: 0, to: 5000, by: 2).map { blocks[$0] }))
        #expect(pool.chunkCount == chunks)
        for block in blocks.reversed() { pool.deallocate(block) }
        #expect(pool.chunkCount == 1)
    }

    @Test func chunksThatAreEmpty_areFreed_butTheLast() {
        let pool = BlockPool(blockSize: 4096)
        for _ in 0..<3 {
            let blocks = (0..<100).map { _ in pool.allocate() }
            #expect(pool.chunkCount == 7)  // 15 in each
            for block in blocks { pool.deallocate(block) }
            #expect(pool.chunkCount == 1)
        }
    }
}
