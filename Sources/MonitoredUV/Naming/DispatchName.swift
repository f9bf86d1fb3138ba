/// A name for dispatches, instead of the place where a callback was registered.
///
/// ```swift
/// loop.execute(name: "flush cache") { … }
/// let name = DispatchName("shard \(number)")
/// loop.callLater(.seconds(1), repeating: .seconds(1), name: name) { _ in … }
/// ```
///
/// A literal costs nothing until a monitor needs it. Any other string is registered when the name is created, so create
/// it once and keep it.
public struct DispatchName: ExpressibleByStringLiteral, Sendable {
    let site: CallSite
    private let pin: Pin?

    /// Creates a name from a string literal.
    public init(stringLiteral name: StaticString) {
        site = CallSite(named: name)
        pin = nil
    }

    /// Creates a name at run time, for example one per user or shard. It is the first 256 bytes of `name`, or `_OTHER`
    /// if 4,096 other names are in use.
    public init(_ name: String) {
        let pin = Pin(name)
        site = CallSite(interned: pin.name)
        self.pin = pin
    }

    /// Keeps the name from being forgotten.
    private final class Pin: Sendable {
        let name: CallbackName
        init(_ text: String) { name = CallbackName(pinned: text) }
        deinit { name.release() }
    }
}

extension CallSite {
    /// Creates a site from the explicit name, or else from the place.
    @inline(__always)
    init(_ name: DispatchName?, _ file: StaticString, _ line: UInt, _ function: StaticString) {
        self = name?.site ?? CallSite(file, line, function)
    }
}
