// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "stress_tests",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "MonitoredUV", path: ".."),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.80.0"),
    ],
    targets: [
        .executableTarget(
            name: "uvecho",
            dependencies: [
                .product(name: "MonitoredUV", package: "MonitoredUV"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]
        ),
        .executableTarget(
            name: "dispatches",
            dependencies: [
                .product(name: "MonitoredUV", package: "MonitoredUV"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]
        ),
        .executableTarget(
            name: "lag",
            dependencies: [
                .product(name: "MonitoredUV", package: "MonitoredUV"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]
        ),
        .executableTarget(
            name: "asyncecho",
            dependencies: [
                .product(name: "MonitoredUV", package: "MonitoredUV"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]
        ),
        .executableTarget(
            name: "nioecho",
            dependencies: [
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]
        ),
        .executableTarget(
            name: "concurrency",
            dependencies: [
                .product(name: "MonitoredUV", package: "MonitoredUV"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]
        ),
    ],
    swiftLanguageModes: [.v6]
)
