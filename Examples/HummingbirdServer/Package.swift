// swift-tools-version: 6.2
import PackageDescription

// Not a part of the other examples' package: building Hummingbird takes minutes.
let package = Package(
    name: "HummingbirdExample",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "MonitoredUV", path: "../.."),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
    ],
    targets: [
        .executableTarget(
            name: "App",
            dependencies: [
                .product(name: "MonitoredUV", package: "MonitoredUV"),
                .product(name: "MonitoredUVMetrics", package: "MonitoredUV"),
                .product(name: "NIOMonitoring", package: "MonitoredUV"),
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]
        )
    ],
    swiftLanguageModes: [.v6]
)
