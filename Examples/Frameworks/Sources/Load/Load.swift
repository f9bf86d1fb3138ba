import ArgumentParser
import AsyncHTTPClient
import Foundation
import MonitoredUV
import NIOCore
import NIOMonitoring

/// Clients on async-http-client, whose loops are watched, that ask for a URL again and again.
@main
struct Load: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Asks for URLs again and again, and says how long it took."
    )

    @Argument(help: "What to ask for.")
    var urls: [String]

    @Option(help: "The number of connections.")
    var connections = 8

    @Option(help: "The time for each URL, in seconds.")
    var seconds = 3.0

    func validate() throws {
        if connections < 1 { throw ValidationError("there have to be connections") }
        if !(seconds > 0) { throw ValidationError("the time has to be longer than zero") }
    }

    func run() async throws {
        NIOLoops.monitor()
        let client = HTTPClient.shared
        for url in urls {
            let start = ContinuousClock.now
            let times = try await ask(url, client).sorted()
            let rate = Int(Double(times.count) / (start.duration(to: .now) / .seconds(1)))
            let (half, most) = (text(times[times.count / 2]), text(times[times.count * 99 / 100]))
            print("\(url): \(times.count) answers, \(rate) a second; half of them within \(half), 99 % within \(most)")
        }
    }

    private func text(_ duration: Duration) -> String {
        duration.formatted(.units(allowed: [.milliseconds], fractionalPart: .show(length: 1)))
    }

    /// Returns how long each answer took. Throws if one is not that of a success.
    private func ask(_ url: String, _ client: HTTPClient) async throws -> [Duration] {
        let end = ContinuousClock.now + .seconds(seconds)
        return try await withThrowingTaskGroup { group in
            for _ in 0..<connections {
                group.addTask {
                    var times: [Duration] = []
                    repeat {
                        let start = ContinuousClock.now
                        let response = try await client.execute(HTTPClientRequest(url: url), timeout: .seconds(30))
                        guard response.status == .ok else {
                            throw Refused(url: url, status: "\(response.status)")
                        }
                        _ = try await response.body.collect(upTo: 1 << 24)
                        times.append(start.duration(to: .now))
                    } while ContinuousClock.now < end
                    return times
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
    }
}

private struct Refused: Error, CustomStringConvertible {
    let url: String
    let status: String
    var description: String { "\(url) answers with \(status)" }
}
