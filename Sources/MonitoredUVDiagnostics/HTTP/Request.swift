import Foundation
import NIOCore
import NIOHTTP1

/// A request whose client may make it.
struct Request: Sendable {
    let method: HTTPMethod
    let path: String
    let headers: HTTPHeaders
    let body: ByteBuffer
    private let query: [URLQueryItem]

    init(_ head: HTTPRequestHead, path: String, query: [URLQueryItem], body: ByteBuffer) {
        method = head.method
        headers = head.headers
        self.path = path
        self.query = query
        self.body = body
    }

    /// Returns the value of a parameter of the query.
    subscript(_ parameter: String) -> String? { query.first { $0.name == parameter }?.value }
}
