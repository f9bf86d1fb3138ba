import Foundation
import NIOCore
import NIOHTTP1

/// An answer of the server.
struct HTTPAnswer: Sendable {
    var status = HTTPResponseStatus.ok
    var headers: HTTPHeaders
    var body: ByteBuffer

    init(_ status: HTTPResponseStatus = .ok, type: String, _ body: ByteBuffer) {
        self.status = status
        self.body = body
        headers = [
            "content-type": type, "content-length": "\(body.readableBytes)", "cache-control": "no-store",
            "x-content-type-options": "nosniff", "referrer-policy": "no-referrer",
        ]
    }

    static func text(_ text: String, _ status: HTTPResponseStatus = .ok, type: String = "text/plain; charset=utf-8")
        -> HTTPAnswer
    {
        HTTPAnswer(status, type: type, ByteBuffer(string: text))
    }

    /// An error, with a sentence that says what to do.
    static func error(_ status: HTTPResponseStatus, _ why: String) -> HTTPAnswer {
        .text("\(status.code): \(why)\n", status)
    }

    static func json(_ value: some Encodable, _ status: HTTPResponseStatus = .ok) -> HTTPAnswer {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf",
            negativeInfinity: "-inf",
            nan: "nan"
        )
        do {
            return HTTPAnswer(status, type: "application/json", ByteBuffer(bytes: try encoder.encode(value)))
        } catch {
            return .error(.internalServerError, "the answer cannot be encoded: \(error)")
        }
    }
}
