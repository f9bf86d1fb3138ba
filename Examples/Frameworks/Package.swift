// swift-tools-version: 6.2
import PackageDescription

// Not a part of the other examples' package: building these frameworks takes minutes.
let package = Package(
    name: "Frameworks",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "MonitoredUV", path: "../.."),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.96.0"),
        .package(url: "https://github.com/grpc/grpc-swift-2", from: "2.3.0"),
        .package(url: "https://github.com/grpc/grpc-swift-nio-transport", from: "2.9.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.30.0"),
    ],
    targets: [
        .executableTarget(name: "HummingbirdServer", dependencies: ["Web", .nioMonitoring, .argumentParser]),
        .executableTarget(name: "HummingbirdOnLoops", dependencies: ["Web", .nioMonitoring, .argumentParser]),
        .target(
            name: "Web",
            dependencies: [
                .product(name: "MonitoredUV", package: "MonitoredUV"),
                .product(name: "MonitoredUVMetrics", package: "MonitoredUV"),
                .product(name: "Hummingbird", package: "hummingbird"),
            ]
        ),
        .executableTarget(name: "GRPCServer", dependencies: ["Echo", .nioMonitoring, .argumentParser]),
        .target(
            name: "Echo",
            dependencies: [
                .product(name: "MonitoredUV", package: "MonitoredUV"),
                .product(name: "GRPCCore", package: "grpc-swift-2"),
                .product(name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport"),
            ]
        ),
        .executableTarget(
            name: "Load",
            dependencies: [
                .nioMonitoring, .argumentParser,
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
            ]
        ),
        .testTarget(
            name: "FrameworksTests",
            dependencies: [
                "Web", "Echo", .nioMonitoring,
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]
        ),
    ],
    swiftLanguageModes: [.v6]
)

extension Target.Dependency {
    static var nioMonitoring: Self { .product(name: "NIOMonitoring", package: "MonitoredUV") }
    static var argumentParser: Self { .product(name: "ArgumentParser", package: "swift-argument-parser") }
}
