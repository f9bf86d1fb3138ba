/// The loops of one kind, such as SwiftNIO's, that were seen, and what is to be done with each. Any thread.
package final class ForeignLoops: Sendable {
    package typealias Configure = @Sendable (Monitoring) -> MonitoringSubscription?

    private struct State {
        var loops: [ObjectIdentifier: ForeignLoop] = [:]
        var registrations: [Int: Registration] = [:]
        var nextNumber = 0
    }

    private struct Registration {
        let configure: Configure
        /// The loops that `configure` was called with, and what it returned.
        var subscriptions: [ObjectIdentifier: MonitoringSubscription?] = [:]
    }

    private let state = Lock(State())
    /// The number of changes of levels, each of which is made under the lock, so that the last one decides. Not nothing at
    /// all, an access to which Thread Sanitizer takes for one to its neighbor.
    private let levels = Lock(0)

    package init() {}

    package var all: [Monitoring] {
        state.withLock { $0.loops.values.map(\.monitoring) }.sorted { $0.loopName < $1.loopName }
    }

    /// Adds a configuration, for the loops that are there and those to come.
    package func add(_ configure: @escaping Configure) -> MonitoringSubscription {
        let (number, loops) = state.withLock { state in
            defer { state.nextNumber += 1 }
            state.registrations[state.nextNumber] = Registration(configure: configure)
            return (state.nextNumber, Array(state.loops.values))
        }
        for loop in loops {
            setLevel(of: loop)
            apply(number, configure, to: loop)
        }
        return MonitoringSubscription { [self] in remove(number) }
    }

    private func remove(_ number: Int) {
        let (removed, loops) = state.withLock { state in
            (state.registrations.removeValue(forKey: number), Array(state.loops.values))
        }
        removed?.subscriptions.values.forEach { $0?.cancel() }
        loops.forEach(setLevel)
    }

    /// Adds a loop, and sets its level. Calls no code of the program.
    package func admit(_ loop: ForeignLoop) {
        state.withLock { $0.loops[ObjectIdentifier(loop)] = loop }
        setLevel(of: loop)
    }

    /// Adds a loop, and configures it.
    package func open(_ loop: ForeignLoop) {
        admit(loop)
        let registrations = state.withLock { state in state.registrations.map { ($0.key, $0.value.configure) } }
        for (number, configure) in registrations { apply(number, configure, to: loop) }
    }

    package func close(_ loop: ForeignLoop) {
        // Released outside the lock: freeing a closure may run code that calls back here.
        let forgotten = state.withLock { state in
            state.loops[ObjectIdentifier(loop)] = nil
            return state.registrations.keys.map { number in
                state.registrations[number]?.subscriptions.removeValue(forKey: ObjectIdentifier(loop))
            }
        }
        withExtendedLifetime(forgotten) {}
    }

    /// Raises the level of a loop if there is a registration, and lowers it if neither that nor the environment asks for it.
    private func setLevel(of loop: ForeignLoop) {
        levels.withLock { count in
            count += 1
            let isWanted = state.withLock { !$0.registrations.isEmpty }
            if isWanted && loop.monitoring.level == .off {
                loop.monitoring.level = .metrics
            } else if !isWanted && !ForeignLoop.isAskedFor {
                loop.monitoring.level = .off
            }
        }
    }

    /// Calls `configure`, unless another thread does so for the same loop.
    private func apply(_ number: Int, _ configure: Configure, to loop: ForeignLoop) {
        let id = ObjectIdentifier(loop)
        let isFirst = state.withLock { state in
            guard state.loops[id] != nil, let known = state.registrations[number]?.subscriptions else { return false }
            if known[id] != nil { return false }
            return state.registrations[number]?.subscriptions.updateValue(nil, forKey: id) == nil
        }
        guard isFirst, let subscription = configure(loop.monitoring) else { return }
        let isKept = state.withLock { state in
            guard state.registrations[number] != nil, state.loops[id] != nil else { return false }
            state.registrations[number]?.subscriptions[id] = subscription
            return true
        }
        if isKept { return }
        subscription.cancel()
        // Making it has raised the level, perhaps of a loop that is no longer to be watched.
        setLevel(of: loop)
    }
}
