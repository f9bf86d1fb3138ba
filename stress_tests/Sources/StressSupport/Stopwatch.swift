#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Wall and processor time since it was made.
public struct Stopwatch: Sendable {
    private let wall = read(CLOCK_MONOTONIC)
    private let cpu = read(CLOCK_PROCESS_CPUTIME_ID)

    /// Starts.
    public init() {}

    /// Prints `name wall cpu`: nanoseconds for each of `count`.
    public func report(_ name: String, _ count: Int) {
        let (wall, cpu) = (Self.read(CLOCK_MONOTONIC) - wall, Self.read(CLOCK_PROCESS_CPUTIME_ID) - cpu)
        print(name, Double(wall) / Double(count), Double(cpu) / Double(count))
    }

    private static func read(_ clock: clockid_t) -> Int {
        var time = timespec()
        clock_gettime(clock, &time)
        return time.tv_sec * 1_000_000_000 + time.tv_nsec
    }
}
