import Foundation
import Synchronization
import Testing

@testable import MonitoredUV

struct DurationHistogramTests {
    @Test(arguments: [LogLinearBins.fine, .coarse])
    func everyValue_liesInItsBin(_ bins: LogLinearBins) {
        var values = (0..<42).flatMap { power in [-1, 0, 1].map { UInt64(max(0, (1 << power) + $0)) } }
        var random = SystemRandomNumberGenerator()
        values += (0..<10_000).map { _ in UInt64.random(in: 0..<1 << 42, using: &random) >> UInt64.random(in: 0..<42) }
        for value in values where value < 1 << 42 {
            let index = bins.index(of: value)
            #expect((0..<bins.count).contains(index))
            #expect(bins.lowerBound(index) <= value && value < bins.upperBound(index))
        }
        #expect(bins.index(of: .max) == bins.count - 1)
    }

    @Test func bins_areNarrow_andBoundedByPowersOfTwo() {
        let bins = LogLinearBins.fine
        for index in 32..<bins.count {
            let width = Double(bins.upperBound(index) - bins.lowerBound(index))
            #expect(width / Double(bins.lowerBound(index)) <= 1.0 / 32)
        }
        for power in 0..<42 {
            let index = bins.index(of: 1 << UInt64(power))
            #expect(bins.lowerBound(index) == 1 << UInt64(power))
        }
    }

    @Test func percentiles_areRightToTheWidthOfABin() {
        var histogram = DurationHistogram()
        let values = (1...10_000).map { UInt64($0) * 997 }
        values.shuffled().forEach { histogram.record($0) }
        #expect(histogram.count == 10_000)
        #expect(histogram.max == .nanoseconds(9_970_000))
        #expect(histogram.mean == .nanoseconds(997 * 10_001 / 2))
        for percent in [1.0, 25, 50, 90, 99, 99.9, 100] {
            let exact = Double(values[Int((percent * 100).rounded(.up)) - 1])
            let found = histogram.percentile(percent) / .nanoseconds(1)
            #expect(found >= exact && found <= exact * 33 / 32 + 1)
        }
        #expect(DurationHistogram().percentile(99) == .zero)
    }

    @Test func countBelow_isExactForPowersOfTwo() {
        var histogram = DurationHistogram()
        for value in UInt64(0)..<5000 { histogram.record(value) }
        for power in 0...12 { #expect(histogram.count(below: .nanoseconds(1 << power)) == 1 << power) }
    }

    @Test func differenceAndSum_areThoseOfTheValues() {
        var earlier = DurationHistogram()
        (1...100).forEach { earlier.record(UInt64($0) * 1000) }
        var later = earlier
        var added = DurationHistogram()
        for value in [5_000_000, 6_000_000, 7] as [UInt64] {
            later.record(value)
            added.record(value)
        }
        let difference = later - earlier
        #expect(difference.count == 3)
        #expect(difference.sum == added.sum)
        #expect(difference.percentile(50) == added.percentile(50))
        #expect(difference.max >= added.max && difference.max <= added.max * 33 / 32)
        let sum = earlier + added
        #expect(sum == later)
        #expect((earlier - earlier).count == 0)
        #expect((earlier - earlier).max == .zero)
    }

    @Test func histogram_survivesEncoding() throws {
        var histogram = DurationHistogram()
        (0..<1000).forEach { histogram.record(UInt64($0) * UInt64($0) * 31) }
        let data = try JSONEncoder().encode(histogram)
        #expect(try JSONDecoder().decode(DurationHistogram.self, from: data) == histogram)
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode(
                DurationHistogram.self,
                from: Data(#"{"bits":7,"counts":[],"sum":0,"max":0}"#.utf8)
            )
        }
        let broken = Data(#"{"bits":5,"counts":[[99999,1]],"sum":0,"max":0}"#.utf8)
        #expect(throws: DecodingError.self) { try JSONDecoder().decode(DurationHistogram.self, from: broken) }
    }

    @Test func storage_isReadWhileItIsWritten() throws {
        let words = Words.allocateZeroed(HistogramStorage.wordCount(.fine))
        defer { words.deallocate() }
        let storage = Box(HistogramStorage(words + 0, .fine))
        let ended = Counter()
        let writer = try LoopThread(name: "writer") {
            for value in UInt64(1)...200_000 { storage.value.record(value & 1023) }
            ended.count()
        }
        var last = 0
        while ended.value == 0 {
            let count = storage.value.read().count
            #expect(count >= last)
            last = count
        }
        writer.join()
        let read = storage.value.read()
        #expect(read.count == 200_000)
        #expect(read.max == .nanoseconds(1023))
        #expect(read.sum == .nanoseconds((1...200_000).reduce(0) { $0 + ($1 & 1023) }))
    }

    /// One second among a million iterations of 2 us: no percentile shows it, and it is a third of the time.
    @Test func sumOverALimit_showsWhatPercentilesHide() {
        var histogram = DurationHistogram()
        for _ in 0..<1_000_000 { histogram.record(2_000) }
        histogram.record(1_000_000_000)
        #expect(histogram.percentile(99.9) < .microseconds(3))
        let exact = Duration.seconds(1)
        for limit in [Duration.milliseconds(1), .milliseconds(100), .milliseconds(990)] {
            #expect(abs(histogram.sum(over: limit) / exact - 1) < 0.017)
        }
        #expect(histogram.sum(over: .seconds(2)) == .zero)
        #expect(abs(histogram.sum(over: .zero) / histogram.sum - 1) < 0.017)
        #expect(DurationHistogram().sum(over: .zero) == .zero)
    }

    @Test(arguments: [LogLinearBins.fine, .coarse])
    func middleOfABin_isNoFurtherOffThanItsWidthAllows(_ bins: LogLinearBins) {
        let most = bins == .fine ? 0.016 : 0.13
        for value in stride(from: UInt64(1), to: 1 << 40, by: 999_999_937) {
            let middle = Double(bins.middle(bins.index(of: value)))
            #expect(abs(middle / Double(value) - 1) <= most)
        }
    }

    @Test func coarseBin_isToldByTheFineOne() {
        for value in Array(UInt64(0)..<5000) + (0..<64).flatMap({ [UInt64(1) << $0, (UInt64(1) << $0) &* 3 / 2 &- 1] })
        {
            let fine = LogLinearBins.fine.index(of: value)
            #expect(
                LogLinearBins.coarseIndex(of: value, fine: fine) == LogLinearBins.coarse.index(of: value),
                "\(value)"
            )
        }
    }
}
