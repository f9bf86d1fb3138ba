import Synchronization

/// Counts of what happened, by any thread.
final class Counts: Sendable {
    let visits = Atomic<Int>(0)
    let messages = Atomic<Int>(0)
    let resets = Atomic<Int>(0)
    let departures = Atomic<Int>(0)
    let refusals = Atomic<Int>(0)
    let timeouts = Atomic<Int>(0)
    let timers = Atomic<Int>(0)
    let failures = Atomic<Int>(0)

    struct Values: Encodable {
        let visits, messages, resets, departures, refusals, timeouts, timers, failures: Int
    }

    var values: Values {
        Values(
            visits: visits.load(ordering: .relaxed),
            messages: messages.load(ordering: .relaxed),
            resets: resets.load(ordering: .relaxed),
            departures: departures.load(ordering: .relaxed),
            refusals: refusals.load(ordering: .relaxed),
            timeouts: timeouts.load(ordering: .relaxed),
            timers: timers.load(ordering: .relaxed),
            failures: failures.load(ordering: .relaxed)
        )
    }
}
