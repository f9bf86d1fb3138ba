// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "MonitoredUV",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "MonitoredUV", targets: ["MonitoredUV"]),
        .library(name: "MonitoredUVMetrics", targets: ["MonitoredUVMetrics"]),
        .library(name: "NIOMonitoring", targets: ["NIOMonitoring"]),
        .library(name: "MonitoredUVDiagnostics", targets: ["MonitoredUVDiagnostics"]),
    ],
    traits: [
        .trait(
            name: "RuntimeInterfaces",
            description: "Interfaces of Swift's runtime that are not public yet: for runMain, and for lines in stacks."
        ),
        .default(enabledTraits: ["RuntimeInterfaces"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-log", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.5.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.80.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.6.0"),
    ],
    targets: [
        .systemLibrary(
            name: "CLibUV",
            pkgConfig: "libuv",
            providers: [.apt(["libuv1-dev"]), .brew(["libuv"])]
        ),
        .target(name: "CMonitoredUV"),
        .target(name: "MonitoredUVPlatform", dependencies: ["CLibUV"]),
        .target(
            name: "MonitoredUV",
            dependencies: [
                "CLibUV", "CMonitoredUV", "MonitoredUVPlatform", .product(name: "Logging", package: "swift-log"),
            ]
        ),
        .target(
            name: "MonitoredUVMetrics",
            dependencies: [
                "MonitoredUV",
                .product(name: "CoreMetrics", package: "swift-metrics"),
            ]
        ),
        .target(name: "CNIOMonitoring"),
        .target(
            name: "NIOMonitoring",
            dependencies: [
                "MonitoredUV", "CNIOMonitoring",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]
        ),
        .target(
            name: "MonitoredUVDiagnostics",
            dependencies: [
                "MonitoredUV", "MonitoredUVMetrics",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ]
        ),
        .testTarget(
            name: "MonitoredUVDiagnosticsTests",
            dependencies: [
                "MonitoredUVDiagnostics", "ProgramRunner", "stuck",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ]
        ),
        .testTarget(
            name: "NIOMonitoringTests",
            dependencies: [
                "NIOMonitoring", "CTestPolls", "ProgramRunner", "nioloops",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ]
        ),
        .testTarget(
            name: "MonitoredUVMetricsTests",
            dependencies: [
                "MonitoredUVMetrics",
                .product(name: "MetricsTestKit", package: "swift-metrics"),
            ]
        ),
        .testTarget(
            name: "MonitoredUVTests",
            dependencies: [
                "MonitoredUV", "MonitoredUVPlatform", "CLibUV", "CMonitoredUV", "CTestFrames", "ProgramRunner",
                "whereitran", "executors", "scarcity",
                .product(name: "Logging", package: "swift-log"),
            ]
        ),
        .target(name: "CTestFrames", path: "Tests/CTestFrames"),
        .target(name: "CTestPolls", path: "Tests/CTestPolls"),
        // What tests run as a process of its own.
        .target(name: "ProgramRunner", path: "Tests/ProgramRunner"),
        .executableTarget(
            name: "nioloops",
            dependencies: [
                "NIOMonitoring", "CTestPolls",
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            path: "Tests/Programs/nioloops"
        ),
        .executableTarget(
            name: "stuck",
            dependencies: [
                "MonitoredUVDiagnostics", "NIOMonitoring",
                .product(name: "NIOPosix", package: "swift-nio"),
            ],
            path: "Tests/Programs/stuck"
        ),
        .executableTarget(name: "whereitran", dependencies: ["MonitoredUV"], path: "Tests/Programs/whereitran"),
        .executableTarget(name: "names", dependencies: ["MonitoredUV"], path: "Tests/Programs/names"),
        .executableTarget(name: "stalls", dependencies: ["MonitoredUV"], path: "Tests/Programs/stalls"),
        .executableTarget(name: "executors", dependencies: ["MonitoredUV"], path: "Tests/Programs/executors"),
        .executableTarget(name: "scarcity", dependencies: ["MonitoredUV"], path: "Tests/Programs/scarcity"),
    ],
    swiftLanguageModes: [.v6]
)

for target in package.targets where target.type != .system {
    // Not MemberImportVisibility: with it, the fields of C's `timespec` need an import of a module that is the toolchain's own.
    target.swiftSettings = [
        .enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("InternalImportsByDefault"),
    ]
}

if Context.environment["MONITOREDUV_DOCS"] != nil {
    package.dependencies.append(.package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.4.0"))
}
