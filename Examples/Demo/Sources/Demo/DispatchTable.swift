import Foundation
import MonitoredUV

/// Counts and percentiles for each callback name.
final class DispatchTable {
    private var rows: [String: (wall: Distribution, lag: Distribution)] = [:]
    private(set) var count = 0

    func record(_ state: borrowing IOLoopMonitorState) {
        count += 1
        let wall = state.callbackWallTime
        let lag = state.loopLag
        rows[state.callbackPrettyName, default: (Distribution(), Distribution())].wall.record(wall)
        rows[state.callbackPrettyName]?.lag.record(lag)
    }

    /// Names by the time their callbacks took in all, longest first.
    var text: String {
        let header = ["callback", "count", "wall p50", "p99", "max", "lag p50", "p99", "max"]
        let sorted = rows.sorted { $0.value.wall.total > $1.value.wall.total }
        let lines =
            [header]
            + sorted.map { name, row in
                [name, "\(row.wall.count)"]
                    + [row.wall, row.lag].flatMap {
                        [$0.percentile(50).brief, $0.percentile(99).brief, $0.longest.brief]
                    }
            }
        let widths = header.indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
        return lines.map { line in
            line.enumerated().map { column, cell in
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                return column == 0 ? cell + padding : padding + cell
            }.joined(separator: "  ")
        }.joined(separator: "\n")
    }
}

/// Durations in bins that grow by a sixteenth of a power of two, so that percentiles are right to 3 %.
struct Distribution {
    private var bins: [Int: Int] = [:]
    private(set) var count = 0
    private(set) var total = Duration.zero
    private(set) var longest = Duration.zero

    mutating func record(_ duration: Duration) {
        count += 1
        total += duration
        longest = max(longest, duration)
        bins[Int(log2(max(1, duration / .nanoseconds(1))) * 16), default: 0] += 1
    }

    func percentile(_ percent: Int) -> Duration {
        var left = (count * percent + 99) / 100
        for (bin, count) in bins.sorted(by: { $0.key < $1.key }) {
            left -= count
            if left <= 0 { return min(longest, .nanoseconds(Int64(exp2((Double(bin) + 0.5) / 16)))) }
        }
        return longest
    }
}

extension Duration {
    /// `203 ms`, `1.2 ms`, `45 us`: one unit, with a digit behind the point where there is only one before it.
    var brief: String {
        let isShort = [Duration.seconds(1), .milliseconds(1), .microseconds(1)].contains {
            ($0..<$0 * 10).contains(self)
        }
        return formatted(
            .units(
                allowed: [.seconds, .milliseconds, .microseconds, .nanoseconds],
                width: .abbreviated,
                maximumUnitCount: 1,
                fractionalPart: .show(length: isShort ? 1 : 0)
            )
        )
    }
}
