extension [StallRecord] {
    /// The stacks, outermost function first, each with its number of milliseconds: what flame graph tools read.
    var collapsed: String {
        var times: [String: Int64] = [:]
        for stall in self where !stall.stack.isEmpty {
            let functions = [stall.loop] + stall.stack.reversed().map(\.function)
            times[functions.map { $0.replacing(";", with: ":").oneLine }.joined(separator: ";"), default: 0] +=
                stall.duration
        }
        return times.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value / 1_000_000)\n" }.joined()
    }

    /// The stacks as `perf script` prints samples: a sample for each ten milliseconds of a stall, or fewer, so that there are
    /// not many thousands in all.
    var perfScript: String {
        var text = ""
        let longest = Swift.max(10_000_000, reduce(0) { $0 + $1.duration } / 4000)
        for stall in self where !stall.stack.isEmpty {
            let count = Swift.max(1, stall.duration / longest)
            let period = stall.duration / count
            let frames = stall.stack.map { frame in
                "\t               0 \(frame.function.oneLine) (\(frame.file?.oneLine ?? "unknown"))\n"
            }.joined()
            let name = stall.loop.oneLine.replacing(" ", with: "_")
            for number in 0..<count {
                let seconds = stall.began / 1000 + Double(number * period) / 1e9
                text += "\(name) 1/1 \(seconds.microseconds): \(period) stall: \n\(frames)\n"
            }
        }
        return text
    }
}

extension String {
    /// Without line breaks, which would end a record.
    fileprivate var oneLine: String { replacing("\n", with: " ").replacing("\r", with: " ") }
}

extension Double {
    /// With six digits behind the point.
    fileprivate var microseconds: String {
        let count = Int64((self * 1e6).rounded())
        let fraction = String(count % 1_000_000)
        return "\(count / 1_000_000).\(String(repeating: "0", count: 6 - fraction.count))\(fraction)"
    }
}
