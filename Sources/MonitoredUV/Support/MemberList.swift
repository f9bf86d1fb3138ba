/// The base class of members, which can be in one ``MemberList`` at a time.
class ListMember {
    fileprivate final var next: ListMember?
    fileprivate final unowned(unsafe) var previous: ListMember?
    /// Cleared by the list when it is deinitialized.
    fileprivate final unowned(unsafe) var list: (any AnyMemberList)?

    /// Leaves the list that the member is in; returns `false` if it is in none.
    @discardableResult
    final func leaveList() -> Bool {
        guard let list else { return false }
        list.remove(self)
        return true
    }
}

/// A list that keeps its members, in no particular order, until they leave. Adding and leaving take constant time.
final class MemberList<Member: ListMember>: AnyMemberList {
    private(set) var first: Member?

    deinit { while let first { remove(first) } }

    var isEmpty: Bool { first == nil }

    /// A copy of the current members, for iterations that remove some.
    var members: [Member] {
        var members: [Member] = []
        var member = first
        while let found = member {
            members.append(found)
            member = found.next.map { unsafeDowncast($0, to: Member.self) }
        }
        return members
    }

    /// Adds a member, which must not be in a list.
    func add(_ member: Member) {
        member.next = first
        first?.previous = member
        first = member
        member.list = self
    }

    fileprivate func remove(_ member: ListMember) {
        member.list = nil
        let next = member.next
        member.next = nil
        next?.previous = member.previous
        if let previous = member.previous {
            previous.next = next
        } else {
            first = next.map { unsafeDowncast($0, to: Member.self) }
        }
        member.previous = nil
    }
}

private protocol AnyMemberList: AnyObject {
    func remove(_ member: ListMember)
}
