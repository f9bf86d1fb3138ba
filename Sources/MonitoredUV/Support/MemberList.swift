/// What can be in one ``MemberList`` at a time.
class ListMember {
    fileprivate final var next: ListMember?
    fileprivate final unowned(unsafe) var previous: ListMember?
    fileprivate final var isInList = false
}

/// Keeps its members, in no particular order, until they are removed; adding and removing take constant time.
struct MemberList<Member: ListMember> {
    private(set) var first: Member?

    var isEmpty: Bool { first == nil }

    /// All members as of now, for those who remove some on the way.
    var members: [Member] {
        Array(
            sequence(first: first) { $0?.next.map { unsafeDowncast($0, to: Member.self) } }.prefix { $0 != nil }.map {
                $0!
            }
        )
    }

    mutating func add(_ member: Member) {
        member.next = first
        first?.previous = member
        first = member
        member.isInList = true
    }

    /// `false` if the list does not have the member.
    mutating func remove(_ member: Member) -> Bool {
        if !member.isInList { return false }
        member.isInList = false
        let next = member.next
        member.next = nil
        next?.previous = member.previous
        if let previous = member.previous {
            previous.next = next
        } else {
            first = next.map { unsafeDowncast($0, to: Member.self) }
        }
        member.previous = nil
        return true
    }
}
