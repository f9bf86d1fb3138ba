import Foundation
import NIOHTTP1

/// A request whose client may make it.
struct Request: Sendable {
    let method: HTTPMethod
    let path: String
    let headers: HTTPHeaders
    private let query: [URLQueryItem]

    init(_ head: HTTPRequestHead, path: String, query: [URLQueryItem]) {
        method = head.method
        headers = head.headers
        self.path = path
        self.query = query
    }

    /// Returns the value of a parameter of the query.
    subscript(_ parameter: String) -> String? { query.first { $0.name == parameter }?.value }
}
