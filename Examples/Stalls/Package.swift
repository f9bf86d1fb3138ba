// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "Stalls",
    platforms: [.macOS(.v15)],
    dependencies: [.package(name: "MonitoredUV", path: "../..")],
    targets: [.executableTarget(name: "Stalls", dependencies: ["MonitoredUV"])],
    swiftLanguageModes: [.v6]
)
