import Dispatch
import Foundation
import MonitoredUV
import NIOCore
import NIOHTTP1
import NIOPosix

/// The thread of a server, its loop, and its channels.
final class DiagnosticsServer: Sendable {
    let address: SocketAddress
    private let loop: any EventLoop
    private let thread: Lock<DiagnosticsThread?>
    private let channel: any Channel
    private let observer: Observer
    private let clients: NIOLoopBoundBox<Clients>

    private init(
        _ address: SocketAddress,
        _ loop: any EventLoop,
        _ thread: DiagnosticsThread,
        _ channel: any Channel,
        _ observer: Observer,
        _ clients: NIOLoopBoundBox<Clients>
    ) {
        self.address = address
        self.loop = loop
        self.thread = Lock(thread)
        self.channel = channel
        self.observer = observer
        self.clients = clients
    }

    static func start(
        _ place: DiagnosticsPlace,
        _ options: UVDiagnosticsOptions,
        times: ClientTimes = ClientTimes(),
        observing isObserved: @escaping @Sendable (Monitoring) -> Bool = { _ in true }
    ) throws(UVError) -> DiagnosticsServer {
        let address = try place.address
        let access = try Access(address, options)
        let (loop, thread) = try startLoop()
        let observer = Observer(loop, limit: options.stallLimit, isObserved)
        let routes = Routes(observer, healthLimit: options.healthLimit)
        let clients = NIOLoopBoundBox.makeBoxSendingValue(Clients(most: options.mostClients), eventLoop: loop)
        let bootstrap = ServerBootstrap(group: loop)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelOption(.backlog, value: 16)
            .childChannelOption(.maxMessagesPerRead, value: 4)
            // No more than a head's limit at a time, so that it is noticed before the parser's own.
            .childChannelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: Client.headBytes))
            .childChannelInitializer { channel in
                access.admit(channel).flatMapThrowing {
                    let client = try clients.value.add(channel)
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(HeadLimit(client))
                    try pipeline.configureHTTPServerPipeline(withPipeliningAssistance: true, withErrorHandling: false)
                    try pipeline.addHandler(ClientHandler(client, access, routes, times))
                }
            }
        do {
            try place.removeSocketNobodyListensOn(loop)
            let channel = try bootstrap.bind(to: address).wait()
            observer.start()
            return DiagnosticsServer(channel.localAddress ?? address, loop, thread, channel, observer, clients)
        } catch {
            stop(loop, thread)
            throw error as? UVError ?? UVError(.of(error), operation: "bind", detail: place.text)
        }
    }

    /// Starts a thread with a loop that nothing watches.
    private static func startLoop() throws(UVError) -> (any EventLoop, DiagnosticsThread) {
        let started = DispatchSemaphore(value: 0)
        let loop = Lock<(any EventLoop)?>(nil)
        let thread = try DiagnosticsThread(name: "diagnostics") {
            MultiThreadedEventLoopGroup.withCurrentThreadAsEventLoop { itself in
                loop.withLock { $0 = itself }
                started.signal()
            }
        }
        started.wait()
        return (loop.withLock { $0! }, thread)
    }

    private static func stop(_ loop: any EventLoop, _ thread: DiagnosticsThread) {
        loop.shutdownGracefully { _ in }
        thread.join()
    }

    func close() {
        guard let thread = thread.withLock({ $0.take() }) else { return }
        observer.stop()
        try? channel.close().wait()
        try? loop.flatSubmit { [clients, loop] in clients.value.closeAll(on: loop) }.wait()
        if let path = address.pathname { try? FileManager.default.removeItem(atPath: path) }
        Self.stop(loop, thread)
    }
}

extension DiagnosticsPlace {
    fileprivate var text: String {
        switch self {
        case .port(let host, let port): "\(host):\(port)"
        case .socket(let pattern): pattern
        }
    }

    fileprivate var address: SocketAddress {
        get throws(UVError) {
            do {
                switch self {
                case .port(let host, let port):
                    guard (0...65535).contains(port) else {
                        throw UVError(
                            .invalidArgument,
                            operation: "UVDiagnostics.serve",
                            detail: "port \(port) is not from 0 to 65535"
                        )
                    }
                    return try SocketAddress(ipAddress: host == "localhost" ? "127.0.0.1" : host, port: port)
                case .socket: return try SocketAddress(unixDomainSocketPath: path!)
                }
            } catch let error as UVError {
                throw error
            } catch {
                throw UVError(.invalidArgument, operation: "UVDiagnostics.serve", detail: "\(text): \(error)")
            }
        }
    }

    private var path: String? {
        guard case .socket(let pattern) = self else { return nil }
        return pattern.replacing("{PID}", with: "\(getpid())")
    }

    /// Removes a socket that an earlier process has left behind.
    fileprivate func removeSocketNobodyListensOn(_ loop: any EventLoop) throws {
        guard let path, let type = try? FileManager.default.attributesOfItem(atPath: path)[.type] as? FileAttributeType
        else { return }
        guard type == .typeSocket else { throw taken("\(path) is there already, and not a socket") }
        do {
            try ClientBootstrap(group: loop).connect(unixDomainSocketPath: path).flatMap { $0.close() }.wait()
        } catch {
            return try FileManager.default.removeItem(atPath: path)
        }
        throw taken("another process listens on \(path)")
    }

    private func taken(_ why: String) -> UVError {
        UVError(.addressInUse, operation: "UVDiagnostics.serve", detail: why)
    }
}

extension UVError.Code {
    fileprivate static func of(_ error: any Error) -> UVError.Code {
        (error as? IOError).map { UVError.Code(rawValue: -$0.errnoCode) } ?? .invalidArgument
    }
}
