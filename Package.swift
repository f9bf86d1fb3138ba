// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "MonitoredUV",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "MonitoredUV", targets: ["MonitoredUV"])
    ],
    targets: [
        .systemLibrary(
            name: "CLibUV",
            pkgConfig: "libuv",
            providers: [.apt(["libuv1-dev"]), .brew(["libuv"])]
        ),
        .target(name: "CMonitoredUV"),
        .target(name: "MonitoredUV", dependencies: ["CLibUV", "CMonitoredUV"]),
        .testTarget(name: "MonitoredUVTests", dependencies: ["MonitoredUV", "CLibUV", "whereitran"]),
        // What tests run as a process of its own.
        .executableTarget(name: "whereitran", dependencies: ["MonitoredUV"], path: "Tests/Programs/whereitran"),
    ],
    swiftLanguageModes: [.v6]
)
