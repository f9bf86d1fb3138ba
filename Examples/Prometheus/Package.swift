// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "Prometheus",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "MonitoredUV", path: "../.."),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
    ],
    targets: [
        .executableTarget(
            name: "Prometheus",
            dependencies: [
                .product(name: "MonitoredUV", package: "MonitoredUV"),
                .product(name: "MonitoredUVMetrics", package: "MonitoredUV"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]
        ),
        .testTarget(name: "PrometheusTests", dependencies: ["Prometheus"]),
    ],
    swiftLanguageModes: [.v6]
)
