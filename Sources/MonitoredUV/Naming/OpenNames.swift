/// A set of names that can grow, each with a small number that is valid in this process. Any thread.
final class OpenNames: Sendable {
    private let names: Lock<[String]>
    private let limit: Int

    /// Numbers `names` from 0. The last of `limit` numbers stands for all names that do not fit.
    init(_ names: [String], limit: Int) {
        self.names = Lock(names)
        self.limit = limit
    }

    static let other = "_OTHER"

    /// Returns the number of `name`, which is added if it is new.
    func number(of name: String) -> UInt8 {
        names.withLock { names in
            if let index = names.firstIndex(of: name) { return UInt8(index) }
            if name == Self.other || names.count >= limit - 1 { return UInt8(limit - 1) }
            names.append(name)
            return UInt8(names.count - 1)
        }
    }

    subscript(number: UInt8) -> String {
        names.withLock { Int(number) < $0.count ? $0[Int(number)] : Self.other }
    }

    /// The numbers in use, in order. In a full set they include the one that stands for the rest.
    var numbers: Range<UInt8> {
        let count = names.withLock { $0.count }
        return 0..<UInt8(count == limit - 1 ? limit : count)
    }
}
