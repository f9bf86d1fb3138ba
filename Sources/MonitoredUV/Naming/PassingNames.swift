/// Names that come and go, 4,096 at a time: when there are more, those that were not asked for lately are forgotten. Their
/// places are given to others under new numbers, so that a number never stands for two names.
struct PassingNames: Sendable {
    static let shared = PassingNames()
    static let capacity = 4096

    /// The lower half of a number is made of the place, and the upper of how often that was given away before.
    static func place(of name: CallbackName) -> Int { name.place - CallbackName.limit }

    private struct Entry {
        var text: String
        var id: UInt32
        var wasUsed: Bool
    }

    private struct State {
        var entries: [Entry] = []
        var ids: [String: UInt32] = [:]
        /// The place that is looked at next when one is wanted.
        var hand = 0
    }

    private let state = Lock(State())

    func intern(_ text: String) -> CallbackName {
        if text.isEmpty { return .none }
        return state.withLock { state in
            if let id = state.ids[text] {
                let name = CallbackName(id: id)
                state.entries[Self.place(of: name)].wasUsed = true
                return name
            }
            let id: UInt32
            if state.entries.count < Self.capacity {
                id = UInt32(CallbackName.limit + state.entries.count)
                state.entries.append(Entry(text: text, id: id, wasUsed: false))
            } else {
                let place = Self.freePlace(&state)
                state.ids[state.entries[place].text] = nil
                id = state.entries[place].id &+ 1 << 16
                state.entries[place] = Entry(text: text, id: id, wasUsed: false)
            }
            state.ids[text] = id
            return CallbackName(id: id)
        }
    }

    private static func freePlace(_ state: inout State) -> Int {
        while true {
            let place = state.hand
            state.hand = (state.hand + 1) % capacity
            if !state.entries[place].wasUsed { return place }
            state.entries[place].wasUsed = false
        }
    }

    /// `nil` if it was forgotten.
    func text(of name: CallbackName) -> String? {
        state.withLock { state in
            let place = Self.place(of: name)
            guard place < state.entries.count, state.entries[place].id == name.id else { return nil }
            return state.entries[place].text
        }
    }
}
