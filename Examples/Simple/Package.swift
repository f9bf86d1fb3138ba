// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "Simple",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "MonitoredUV", path: "../..")],
    targets: [
        .executableTarget(name: "Simple", dependencies: [.product(name: "MonitoredUV", package: "MonitoredUV")])
    ],
    swiftLanguageModes: [.v6]
)
