import Foundation
import Synchronization

/// Lets `count` tasks sleep at once and says what that took. Not in a task group: Swift's takes longer to remove a
/// child the more it has.
func sleepAll(_ count: Int) async {
    let before = residentMebibytes()
    // Long enough for all of them to have gone to sleep before the first wakes.
    let wake = ContinuousClock.now + .microseconds(8 * count) + .seconds(1)
    let left = Counter(count)
    await withCheckedContinuation { continuation in
        for _ in 0..<count {
            Task.detached {
                try? await Task.sleep(until: wake, clock: .continuous)
                if left.subtractOne() == 0 { continuation.resume() }
            }
        }
        Task.detached {
            try? await Task.sleep(until: wake - .milliseconds(200), clock: .continuous)
            print("MiB for \(count) sleeping tasks: \(residentMebibytes() - before)")
        }
    }
    print("milliseconds late: \(Int((ContinuousClock.now - wake) / .milliseconds(1)))")
}

private final class Counter: Sendable {
    private let value: Atomic<Int>
    init(_ start: Int) { value = Atomic(start) }
    func subtractOne() -> Int { value.wrappingSubtract(1, ordering: .relaxed).newValue }
}

private func residentMebibytes() -> Int {
    let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
    let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
    return pages * 4096 / 1_048_576
}
