import CLibUV

/// The failure of an operation: libuv's code for it, and the operation that failed.
///
/// ```swift
/// do { try server.listen { … } } catch where error.code == .addressInUse { … }
/// ```
public struct UVError: Error, Hashable, Sendable {
    /// libuv's error code. Its name is the same on every platform; its number may differ.
    public let code: Code
    /// The operation that failed: a libuv function such as `uv_tcp_bind`, a system call such as `open`, or a function of
    /// this library such as `UVTCP.connect`.
    public let operation: String
    /// Details that libuv does not provide: the address, host, or peer involved, the handles still open, the argument
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
    /// `uv_tcp_bind: address already in use (EADDRINUSE): 127.0.0.1:80`. For an operation of this library, whose name
    /// has an uppercase letter, the detail replaces the code's message: `withTimeout: the operation took longer than
    /// 5.0 s (ETIMEDOUT)`. The detail is cut to 2,000 bytes, in printable characters.
    public var description: String {
        guard let detail = detail?.firstBytes(2000).printable else {
            return "\(operation): \(code.message) (\(code.name))"
        }
        if isOfThisLibrary { return "\(operation): \(detail) (\(code.name))" }
        return "\(operation): \(code.message) (\(code.name)): \(detail)"
    }

    /// Whether the operation is none of libuv's or the system's, which have no uppercase letters.
    private var isOfThisLibrary: Bool { operation.utf8.contains { (0x41...0x5a).contains($0) } }
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
        if status < 0 { bug("\(UVError(Code(rawValue: status), operation: "\(operation)"))") }
    }
}
