import CLibUV

/// The failure of a libuv operation: libuv's code, and the operation that returned it.
///
/// ```swift
/// do { try server.listen { … } } catch where error.code == .addressInUse { … }
/// ```
public struct UVError: Error, Hashable, Sendable {
    /// libuv's error code. Its name is the same on every platform; its number may differ.
    public let code: Code
    /// The libuv function that failed, for example `uv_tcp_bind`.
    public let operation: String
    /// Details that libuv does not provide: the address, host or peer involved, the handles still open, the argument
    /// out of range.
    public let detail: String?

    /// Makes an error as libuv would report it from `operation`.
    public init(_ code: Code, operation: String, detail: String? = nil) {
        self.code = code
        self.operation = operation
        self.detail = detail
    }
}

extension UVError: CustomStringConvertible {
    /// `uv_tcp_bind: address already in use (EADDRINUSE)`, followed by the detail, if there is one: up to 2,000 bytes,
    /// in printable characters.
    public var description: String {
        "\(operation): \(code.message) (\(code.name))" + (detail.map { ": \($0.firstBytes(2000).printable)" } ?? "")
    }
}

extension UVError {
    /// Lets a `catch` name a code: `catch UVError.Code.addressInUse`.
    public static func ~= (code: Code, error: UVError) -> Bool { error.code == code }

    /// Throws the error of a negative libuv status; otherwise returns the status.
    @inline(__always)
    @discardableResult
    static func check(
        _ status: Int32,
        _ operation: StaticString,
        _ detail: @autoclosure () -> String? = nil
    ) throws(UVError) -> Int32 {
        if status < 0 { throw UVError(Code(rawValue: status), operation: "\(operation)", detail: detail()) }
        return status
    }

    /// Returns the error of a completion, which has no caller to throw to; `nil` if there is none.
    static func of(_ status: Int32, _ operation: StaticString) -> UVError? {
        status < 0 ? UVError(Code(rawValue: status), operation: "\(operation)") : nil
    }

    /// Returns the error with this detail, unless it already has one.
    func about(_ detail: String) -> UVError { UVError(code, operation: operation, detail: self.detail ?? detail) }

    /// Traps if the call failed. For calls that libuv documents as unable to fail with the given arguments: a failure
    /// is a bug in this library.
    @inline(__always)
    static func require(_ status: Int32, _ operation: StaticString) {
        if status < 0 { fatalError("\(UVError(Code(rawValue: status), operation: "\(operation)"))") }
    }
}
