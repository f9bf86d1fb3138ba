import Synchronization

/// Transient names, up to 4,096 at a time. When there are more, names that have not been used recently are forgotten,
/// and their places are reused under new numbers.
final class PassingNames: Sendable {
    static let shared = PassingNames()
    static let capacity = 4096

    /// Returns a name's place, from the lower half of its number. The upper half counts the earlier uses of the place.
    static func place(of name: CallbackName) -> Int { name.place - CallbackName.limit }

    private struct Entry {
        var text: String
        /// The number of handles and ``DispatchName``s with this name.
        var pins = 0
    }

    private struct State {
        var entries: [Entry] = []
        var ids: [String: UInt32] = [:]
        /// The place to examine next when one is needed.
        var hand = 0
    }

    private let state = Lock(State())

    /// The current number of a place, and whether it was used recently, for readers without the lock.
    private struct Mark: ~Copyable, Sendable {
        let id = Atomic<UInt32>(0)
        let wasUsed = Atomic<Bool>(false)
    }

    // Not freed while it may be read, and made only of atomics.
    nonisolated(unsafe) private let marks: UnsafeMutablePointer<Mark>

    init() {
        marks = .allocate(capacity: Self.capacity)
        for place in 0..<Self.capacity { (marks + place).initialize(to: Mark()) }
    }

    deinit {
        marks.deinitialize(count: Self.capacity)
        marks.deallocate()
    }

    /// Returns the number of a name, which is valid until the name is forgotten.
    func intern(_ text: String) -> CallbackName { state.withLock { intern(text, &$0) } }

    /// Returns the number of a name, which is valid until ``unpin(_:)``; `_OTHER` if all places are taken.
    func pin(_ text: String) -> CallbackName {
        state.withLock { state in
            let name = intern(text, &state)
            if name.id >= UInt32(CallbackName.limit) { state.entries[Self.place(of: name)].pins += 1 }
            return name
        }
    }

    func unpin(_ name: CallbackName) {
        if name.id < UInt32(CallbackName.limit) { return }
        state.withLock { $0.entries[Self.place(of: name)].pins -= 1 }
    }

    private func intern(_ text: String, _ state: inout State) -> CallbackName {
        if text.isEmpty { return .unnamed }
        if let id = state.ids[text] {
            let name = CallbackName(id: id)
            marks[Self.place(of: name)].wasUsed.store(true, ordering: .relaxed)
            return name
        }
        let place: Int
        let id: UInt32
        if state.entries.count < Self.capacity {
            place = state.entries.count
            id = UInt32(CallbackName.limit + place)
            state.entries.append(Entry(text: text))
        } else {
            guard let free = freePlace(&state) else { return .other }
            place = free
            state.ids[state.entries[place].text] = nil
            id = marks[place].id.load(ordering: .relaxed) &+ 1 << 16
            state.entries[place] = Entry(text: text)
        }
        state.ids[text] = id
        marks[place].id.store(id, ordering: .relaxed)
        return CallbackName(id: id)
    }

    private func freePlace(_ state: inout State) -> Int? {
        for _ in 0..<2 * Self.capacity {
            let place = state.hand
            state.hand = (state.hand + 1) % Self.capacity
            if state.entries[place].pins > 0 { continue }
            if !marks[place].wasUsed.exchange(false, ordering: .relaxed) { return place }
        }
        return nil
    }

    /// Marks the name as used, without the lock; returns `false` if it was forgotten.
    func touch(_ name: CallbackName) -> Bool {
        if name.id < UInt32(CallbackName.limit) { return true }
        let place = Self.place(of: name)
        if marks[place].id.load(ordering: .relaxed) != name.id { return false }
        if !marks[place].wasUsed.load(ordering: .relaxed) { marks[place].wasUsed.store(true, ordering: .relaxed) }
        return true
    }

    /// Returns the text of a name; `nil` if it was forgotten.
    func text(of name: CallbackName) -> String? {
        state.withLock { state in
            let place = Self.place(of: name)
            let isHeld = marks[place].id.load(ordering: .relaxed) == name.id
            return isHeld ? state.entries[place].text : nil
        }
    }
}
