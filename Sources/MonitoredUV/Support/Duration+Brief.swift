extension Duration {
    /// The duration, or the nearest one from zero up that 64 bits of nanoseconds hold.
    var clamped: Duration { Duration(nanoseconds: nanosecondsClamped) }

    /// The duration in a readable form with two or three digits: `203 ms`, `1.2 ms`, `45 us`, `820 ns`.
    var brief: String {
        let units: [(Duration, String)] = [(.seconds(1), "s"), (.milliseconds(1), "ms"), (.microseconds(1), "us")]
        let (unit, name) = units.first { self >= $0.0 } ?? (.nanoseconds(1), "ns")
        let tenths = (self / unit * 10).rounded()
        if tenths >= 100 || name == "ns" { return "\(Int((tenths / 10).rounded())) \(name)" }
        return "\(Int(tenths) / 10).\(Int(tenths) % 10) \(name)"
    }
}
