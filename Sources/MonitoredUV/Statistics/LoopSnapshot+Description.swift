extension LoopSnapshot: CustomStringConvertible {
    /// A summary of several lines: where the time went, what waited, and the heaviest names.
    public var description: String { text(names: 15) }

    /// Describes the snapshot with the given number of names.
    public func text(names count: Int) -> String {
        let loops = loopNames.count == 1 ? "loop" : "loops"
        if dispatches == 0 && time.elapsed == .zero {
            return
                "\(loops) \(loopNames.joined(separator: ", ")): no data at level off. Set monitoring.level to "
                + ".metrics, or MONITOREDUV_LEVEL=metrics."
        }
        var lines = [
            "\(loops) \(loopNames.joined(separator: ", ")): \(dispatches) dispatches in \(time.elapsed.brief),"
                + " utilization \(Int((time.utilization * 100).rounded()))%",
            "\(time)",
        ]
        if let running {
            lines.append("running for \(running.age.brief) now: \(running.callbackName) (\(running.kind))")
        }
        lines.append(
            "iterations \(iterations.count), busy p50 \(iterations.percentile(50).brief),"
                + " p99 \(iterations.percentile(99).brief), max \(iterations.max.brief); queue \(queueLength), peak \(queueLengthPeak);"
                + " wake-ups \(wakeups)"
        )
        let held = (handles.sorted { $0.key < $1.key } + requests.sorted { $0.key < $1.key })
        var parts = held.map { "\($0.value) \($0.key)" }
        // Not "timers": that is libuv's name for handles.
        if timers == 1 { parts.append("1 scheduled callback or sleeping task") }
        if timers > 1 { parts.append("\(timers) scheduled callbacks or sleeping tasks") }
        if !parts.isEmpty { lines.append("holds " + parts.joined(separator: ", ")) }
        lines.append("")
        lines += table(
            ["share of"] + Self.shareLimits.map { "over \($0.brief)" },
            [
                ["time, in iterations"] + Self.shareLimits.map { percent(timeShare(inIterationsOver: $0)) },
                ["waiting time"] + Self.shareLimits.map { percent(waitShare(over: $0)) },
            ]
        )
        lines.append("")
        lines += table(
            ["waited", "count", "p50", "p99", "max"],
            LagSource.allCases.filter { lag($0).count > 0 }.map { ["\($0)"] + columns(lag($0)) }
        )
        lines.append("")
        lines += table(
            ["callback", "count", "total", "p50", "p99", "max", "blame"],
            top(count, by: .total).map { name in
                [name.callbackName, "\(name.count)", name.total.brief]
                    + columns(name.wallTime).dropFirst() + [name.blame.brief]
            }
        )
        return lines.joined(separator: "\n")
    }

    private func percent(_ share: Double) -> String {
        share == 0 ? "0" : share < 0.01 ? "< 1%" : "\(Int((share * 100).rounded()))%"
    }

    private func columns(_ histogram: DurationHistogram) -> [String] {
        ["\(histogram.count)"]
            + [histogram.percentile(50), histogram.percentile(99), histogram.max].map(\.brief)
    }

    /// Returns a table with its first column aligned left and the others aligned right.
    private func table(_ header: [String], _ rows: [[String]]) -> [String] {
        let all = [header] + rows
        let widths = header.indices.map { column in all.map { $0[column].count }.max() ?? 0 }
        return all.map { row in
            row.enumerated().map { column, cell in
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                return column == 0 ? cell + padding : padding + cell
            }.joined(separator: "  ")
        }
    }
}
