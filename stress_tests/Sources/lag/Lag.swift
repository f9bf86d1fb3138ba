import ArgumentParser
import Foundation
import MonitoredUV

/// Whether the lag that the monitor is told is the true one: clients stamp each message when they send it, and whoever
/// posts, arms a timer or wakes a task notes when; the loop is blocked at random meanwhile.
@main
struct Lag: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lag",
        abstract: "The share of dispatches whose reported lag is the true one."
    )

    @Option(help: "How many messages are sent on 16 connections.")
    var messages = 50_000

    @Option(help: "How many messages of 1 MiB are sent on one connection.")
    var large = 500

    @Option(help: "How many closures are posted, timers fire and tasks are woken.")
    var exact = 5_000

    func run() throws {
        stayOn(processor: 0)
        let result = try MessageLag(messages: messages).run()
        print("messages: \(result.all.count)")
        print("messages within the range: \(result.all.percent)")
        print("messages that the machine held up: \(result.all.count - result.undisturbed.count)")
        print("others within the range: \(result.undisturbed.percent)")
        let large = try LargeMessageLag(messages: large).run()
        print("pieces of large messages: \(large.count)")
        print("pieces of large messages within the range: \(large.percent)")
        for (name, share) in try ExactLag(count: exact).run() { print("\(name) within 100 us: \(share.percent)") }
    }
}

/// Keeps this thread on one processor, so that those who send and those who receive do not take it from each other.
func stayOn(processor: Int) {
    // Not among the functions that Swift imports.
    typealias SetAffinity = @convention(c) (pid_t, Int, UnsafePointer<UInt>) -> Int32
    guard let function = dlsym(nil, "sched_setaffinity") else { return }
    var set = UInt(1) << UInt(processor)
    // On a machine with a single one they share it.
    _ = unsafeBitCast(function, to: SetAffinity.self)(0, MemoryLayout<UInt>.size, &set)
}

/// How many of how many.
struct Share {
    private(set) var count = 0
    private var right = 0

    mutating func add(_ isRight: Bool) {
        count += 1
        if isRight { right += 1 }
    }

    var percent: Double { count == 0 ? 0 : 100 * Double(right) / Double(count) }
}

/// A blocking socket that is connected to 127.0.0.1.
func connectedSocket(to port: Int) -> Int32 {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    let status = withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
    if status != 0 { fatalError("connect failed with \(errno)") }
    var one: Int32 = 1
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
    return descriptor
}

func nanoseconds() -> UInt64 { clock_gettime_nsec() }

private func clock_gettime_nsec() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

/// The work that keeps a loop busy: in 0.3 % of all cases 20 ms, in 5 % up to 2 ms.
struct RandomBlocks {
    private var state: UInt64 = 88_172_645_463_325_252

    mutating func next() {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        switch state % 1000 {
        case 0..<3: usleep(20_000)
        case 3..<53:
            let end = nanoseconds() + state / 1000 % 2_000_000
            while nanoseconds() < end {}
        default: break
        }
    }
}
