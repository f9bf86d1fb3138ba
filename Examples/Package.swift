// swift-tools-version: 6.2
import PackageDescription

private let monitored = Target.Dependency.product(name: "MonitoredUV", package: "MonitoredUV")
private let metrics = Target.Dependency.product(name: "MonitoredUVMetrics", package: "MonitoredUV")
private let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
    name: "Examples",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "MonitoredUV", path: ".."),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
    ],
    targets: [
        .executableTarget(name: "Demo", dependencies: [monitored, arguments], path: "Demo"),
        .executableTarget(name: "Prometheus", dependencies: [monitored, metrics, arguments], path: "Prometheus"),
        .executableTarget(name: "Simple", dependencies: [monitored], path: "Simple"),
        .executableTarget(name: "Stalls", dependencies: [monitored], path: "Stalls"),
        .testTarget(name: "DemoTests", dependencies: ["Demo"]),
        .testTarget(name: "PrometheusTests", dependencies: ["Prometheus"]),
    ],
    swiftLanguageModes: [.v6]
)
