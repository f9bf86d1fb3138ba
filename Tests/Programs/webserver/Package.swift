// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "webserver",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "MonitoredUV", path: "../../.."),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
    ],
    targets: [
        .executableTarget(
            name: "webserver",
            dependencies: [
                .product(name: "MonitoredUV", package: "MonitoredUV"),
                .product(name: "Hummingbird", package: "hummingbird"),
            ]
        )
    ],
    swiftLanguageModes: [.v6]
)
