// swift-tools-version: 6.2
import PackageDescription

private let monitored = Target.Dependency.product(name: "MonitoredUV", package: "MonitoredUV")
private let nio: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
]

private func program(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
    return .executableTarget(name: name, dependencies: dependencies + [arguments])
}

let package = Package(
    name: "stress_tests",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "MonitoredUV", path: ".."),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.5.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.80.0"),
    ],
    targets: [
        program("uvecho", [monitored, "StressSupport"]),
        program("asyncecho", [monitored, "StressSupport"]),
        program("groupecho", [monitored]),
        program("users", [monitored, "StressSupport"]),
        program("dispatches", [monitored, "StressSupport"]),
        program("concurrency", [monitored]),
        program("lag", [monitored]),
        program("soak", [monitored, "CStressSupport"]),
        program("nioecho", ["NIOEcho"]),
        program(
            "watchednioecho",
            [monitored, "NIOEcho", "StressSupport", .product(name: "NIOMonitoring", package: "MonitoredUV")]
        ),
        .target(name: "NIOEcho", dependencies: nio),
        program("nioasyncecho", nio),
        program("niodispatches", nio + ["StressSupport"]),
        .target(
            name: "StressSupport",
            dependencies: [monitored, .product(name: "ArgumentParser", package: "swift-argument-parser")]
        ),
        .target(name: "CStressSupport"),
    ],
    swiftLanguageModes: [.v6]
)
