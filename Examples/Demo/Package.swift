// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "Demo",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "MonitoredUV", path: "../.."),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
    ],
    targets: [
        .executableTarget(
            name: "Demo",
            dependencies: [
                .product(name: "MonitoredUV", package: "MonitoredUV"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]
        ),
        .testTarget(name: "DemoTests", dependencies: ["Demo"]),
    ],
    swiftLanguageModes: [.v6]
)
